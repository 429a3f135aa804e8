// ipc_echo.cpp - what ZeroMQ alone takes for a way there and back, between two processes.
//
//   make -f daemon/Makefile ipc_echo
//   build/ipc_echo --rounds 20000 --request 40,120,512 --reply 40,160,240
//
// The same sockets, transport and frames as a search has (DEALER, ROUTER, ipc), and nothing else:
// blocking calls, one I/O thread on each side, no search, no PostgreSQL. The cost of a query
// outside its search is told as a multiple of this. Prints CSV: rounds, median and 99th percentile
// in microseconds.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>
#include <zmq.hpp>

namespace {

struct Settings {
  int rounds = 20000, warm_up = 2000;
  std::vector<size_t> request = {40, 120, 512}, reply = {40, 160, 240};
  std::string path;
};

void Send(zmq::socket_t* socket, const std::vector<size_t>& frames, const std::string& bytes) {
  for (size_t i = 0; i < frames.size(); i++)
    socket->send(zmq::buffer(bytes.data(), frames[i]),
                 i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
}

// Takes one message, and returns its first frame.
zmq::message_t Receive(zmq::socket_t* socket) {
  zmq::message_t first, frame;
  (void)socket->recv(first);
  for (bool more = first.more(); more; more = frame.more()) (void)socket->recv(frame);
  return first;
}

std::string BytesFor(const std::vector<size_t>& frames) {
  return std::string(*std::max_element(frames.begin(), frames.end()), 'x');
}

[[noreturn]] void Serve(const Settings& settings, int ready_fd) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  zmq::context_t context(1);
  zmq::socket_t router(context, zmq::socket_type::router);
  router.bind("ipc://" + settings.path);
  if (write(ready_fd, "", 1) != 1) _exit(1);
  const std::string bytes = BytesFor(settings.reply);
  for (;;) {
    const zmq::message_t identity = Receive(&router);
    router.send(zmq::buffer(identity.data(), identity.size()), zmq::send_flags::sndmore);
    Send(&router, settings.reply, bytes);
  }
}

void Ask(const Settings& settings) {
  zmq::context_t context(1);
  zmq::socket_t dealer(context, zmq::socket_type::dealer);
  dealer.set(zmq::sockopt::linger, 0);
  dealer.connect("ipc://" + settings.path);
  const std::string bytes = BytesFor(settings.request);
  std::vector<double> took_us;
  for (int i = -settings.warm_up; i < settings.rounds; i++) {
    const auto from = std::chrono::steady_clock::now();
    Send(&dealer, settings.request, bytes);
    Receive(&dealer);
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - from;
    if (i >= 0) took_us.push_back(took.count());
  }
  std::sort(took_us.begin(), took_us.end());
  std::printf("rounds,p50_us,p99_us\n%d,%.1f,%.1f\n", settings.rounds, took_us[took_us.size() / 2],
              took_us[took_us.size() * 99 / 100]);
}

int Run(int argc, char** argv) {
  Settings settings;
  settings.path = "/tmp/ipc_echo." + std::to_string(getpid());
  CLI::App app("A bare ZeroMQ echo between two processes.");
  app.add_option("--rounds", settings.rounds, "measured")->check(CLI::PositiveNumber);
  app.add_option("--warm-up", settings.warm_up, "before them")->check(CLI::NonNegativeNumber);
  app.add_option("--request", settings.request, "bytes of each frame")->delimiter(',');
  app.add_option("--reply", settings.reply, "bytes of each frame")->delimiter(',');
  app.add_option("--path", settings.path, "of the socket");
  CLI11_PARSE(app, argc, argv);

  int ready[2];
  if (pipe(ready) != 0) return 1;
  const pid_t server = fork();
  if (server == 0) Serve(settings, ready[1]);
  close(ready[1]);
  char byte;
  const bool serves = server > 0 && read(ready[0], &byte, 1) == 1;
  if (serves) Ask(settings);
  if (server > 0) {
    kill(server, SIGKILL);
    waitpid(server, nullptr, 0);
  }
  unlink(settings.path.c_str());
  return serves ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ipc_echo: %s\n", error.what());
    return 1;
  }
}
