// embed_text.cpp - turns texts into vectors without any model: hashed words and character n-grams.
//
//   embed_text corpus WEIGHTS < lines > rows    learns the weights from the lines, then embeds them
//   embed_text query  WEIGHTS TEXT > vector     embeds one text with the weights learned
//
// A line is "title TAB section TAB description TAB more"; a row, for COPY in text format, is
// "number TAB title TAB section TAB description TAB {vector}". Everything but the section is
// embedded.
//
// Each feature of a text (a word, or 3 to 5 characters in a row of a word with its borders) is
// hashed to kSlots of the kDimensions elements, each with a sign: a sparse random projection
// (Achlioptas 2003), which keeps the angles between texts nearly as they were; with one slot each,
// two rare words that share it would look alike. A feature weighs the more the fewer texts have it
// (inverse document frequency). Vectors have length 1. The result depends on the input only, never
// on the machine: queries and corpus match.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

constexpr size_t kDimensions = 384;
constexpr size_t kBuckets =
    1 << 20;  // of document frequencies; features that share one share a weight
constexpr size_t kSlots = 8;
constexpr size_t kShortestGram = 3;
constexpr size_t kLongestGram = 5;
constexpr float kGramShare = 0.5f;  // how much all n-grams of a word weigh, beside the word's own 1

struct Feature {
  uint64_t hash;
  float share;
};

// The finaliser of splitmix64: every bit of the result depends on every bit of the input.
uint64_t Mix(uint64_t h) {
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
  return h ^ (h >> 31);
}

// FNV-1a, then mixed, since FNV's low bits alone are weak.
uint64_t Hash(std::string_view text, uint64_t seed) {
  uint64_t h = 0xcbf29ce484222325u ^ seed;
  for (const unsigned char c : text) h = (h ^ c) * 0x100000001b3u;
  return Mix(h);
}

void AddWord(const std::string& word, std::vector<Feature>* features) {
  features->push_back({Hash(word, 1), 1.0f});
  const std::string bordered = "<" + word + ">";
  const size_t first = features->size();
  for (size_t length = kShortestGram; length <= kLongestGram; length++)
    for (size_t i = 0; i + length <= bordered.size(); i++)
      features->push_back({Hash(std::string_view(bordered).substr(i, length), 2), 0});
  const size_t grams = features->size() - first;
  for (size_t i = first; i < features->size(); i++)
    (*features)[i].share = kGramShare / std::sqrt(static_cast<float>(grams));
}

// A word is a run of ASCII letters, digits and bytes above ASCII, in lower case.
std::vector<Feature> Features(std::string_view text) {
  std::vector<Feature> features;
  std::string word;
  for (size_t i = 0; i <= text.size(); i++) {
    const unsigned char c = i < text.size() ? static_cast<unsigned char>(text[i]) : ' ';
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80) {
      word += static_cast<char>(upper ? c - 'A' + 'a' : c);
    } else if (!word.empty()) {
      AddWord(word, &features);
      word.clear();
    }
  }
  // Once per text: a word that is repeated says little more.
  std::sort(features.begin(), features.end(), [](const Feature& a, const Feature& b) {
    return a.hash != b.hash ? a.hash < b.hash : a.share > b.share;
  });
  features.erase(std::unique(features.begin(), features.end(),
                             [](const Feature& a, const Feature& b) { return a.hash == b.hash; }),
                 features.end());
  return features;
}

std::vector<float> Embed(std::string_view text, const std::vector<float>& weights) {
  std::vector<float> vector(kDimensions, 0.0f);
  for (const Feature& feature : Features(text)) {
    const float value = feature.share * weights[feature.hash % kBuckets];
    uint64_t bits = feature.hash;
    for (size_t slot = 0; slot < kSlots; slot++) {
      bits = Mix(bits + 0x9e3779b97f4a7c15u);
      vector[(bits >> 32) % kDimensions] += (bits & 1) != 0 ? value : -value;
    }
  }
  double norm = 0;
  for (const float x : vector) norm += static_cast<double>(x) * x;
  if (norm > 0)
    for (float& x : vector) x = static_cast<float>(x / std::sqrt(norm));
  return vector;
}

std::string ArrayLiteral(const std::vector<float>& vector) {
  std::string text = "{";
  char digits[32];
  for (const float x : vector) {
    if (text.size() > 1) text += ',';
    text.append(
        digits,
        std::to_chars(digits, digits + sizeof digits, x, std::chars_format::general, 6).ptr);
  }
  return text + "}";
}

std::vector<std::string> Fields(const std::string& line) {
  std::vector<std::string> fields(1);
  for (const char c : line) {
    if (c == '\t')
      fields.emplace_back();
    else
      fields.back() += c == '\\' ? '/' : c;  // COPY would take a backslash for an escape
  }
  fields.resize(4);
  return fields;
}

std::string EmbeddedText(const std::vector<std::string>& fields) {
  return fields[0] + " " + fields[2] + " " + fields[3];
}

std::vector<float> LearnWeights(const std::vector<std::vector<std::string>>& rows) {
  std::vector<uint32_t> frequency(kBuckets, 0);
  for (const auto& fields : rows)
    for (const Feature& feature : Features(EmbeddedText(fields)))
      frequency[feature.hash % kBuckets]++;
  std::vector<float> weights(kBuckets);
  for (size_t i = 0; i < kBuckets; i++)
    weights[i] = static_cast<float>(
        std::log((1.0 + static_cast<double>(rows.size())) / (1.0 + frequency[i])));
  return weights;
}

int EmbedCorpus(const char* weights_path) {
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(std::cin, line);) rows.push_back(Fields(line));
  const std::vector<float> weights = LearnWeights(rows);
  std::ofstream out(weights_path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(weights.data()),
            static_cast<std::streamsize>(weights.size() * sizeof(float)));
  if (!out.flush()) {
    std::fprintf(stderr, "could not write \"%s\"\n", weights_path);
    return 1;
  }
  for (size_t i = 0; i < rows.size(); i++) {
    const std::string row = std::to_string(i + 1) + "\t" + rows[i][0] + "\t" + rows[i][1] + "\t" +
                            rows[i][2] + "\t" + ArrayLiteral(Embed(EmbeddedText(rows[i]), weights));
    std::puts(row.c_str());
    if ((i + 1) % 10000 == 0 || i + 1 == rows.size())
      std::fprintf(stderr, "  %zu of %zu\n", i + 1, rows.size());
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}

int EmbedQuery(const char* weights_path, const char* text) {
  std::vector<float> weights(kBuckets);
  std::ifstream in(weights_path, std::ios::binary);
  if (!in.read(reinterpret_cast<char*>(weights.data()),
               static_cast<std::streamsize>(weights.size() * sizeof(float)))) {
    std::fprintf(stderr, "could not read \"%s\"; `make quickstart` writes it\n", weights_path);
    return 1;
  }
  std::puts(ArrayLiteral(Embed(text, weights)).c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "corpus" && argc == 3) return EmbedCorpus(argv[2]);
  if (verb == "query" && argc == 4) return EmbedQuery(argv[2], argv[3]);
  std::fprintf(stderr,
               "usage: embed_text corpus WEIGHTS < lines | embed_text query WEIGHTS TEXT\n");
  return 2;
}
