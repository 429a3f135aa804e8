// standard_descriptors.h - descriptors 0 to 2 are there, whatever vectord was started with.
//
// Whoever starts a daemon may have closed them. Then the next files that it opens get these
// numbers, and what is meant for the log goes into a socket, a file of rows or the pipe of the
// signals.
#ifndef VECTOR_FDW_DAEMON_BASE_STANDARD_DESCRIPTORS_H
#define VECTOR_FDW_DAEMON_BASE_STANDARD_DESCRIPTORS_H

namespace vectord {

// Opens /dev/null as those of them that are closed. Called first in main. False when that fails.
[[nodiscard]] bool FillStandardDescriptors();

}  // namespace vectord

#endif
