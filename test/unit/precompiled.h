// precompiled.h - what the compiler reads once for all unit tests, for parsing it is most of what
// they take.
//
// Tests are told of it by daemon/Makefile. They include what they use nevertheless, and compile
// without it.
#ifndef VECTOR_FDW_TEST_UNIT_PRECOMPILED_H
#define VECTOR_FDW_TEST_UNIT_PRECOMPILED_H

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#endif
