// frame.h - what came over a wire: frames, and messages of them.
#ifndef VECTOR_FDW_FDW_FRAME_H
#define VECTOR_FDW_FDW_FRAME_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace vfdw
{

// The bytes of a frame and whoever keeps them alive.
struct Frame
{
	const uint8_t *data = nullptr;
	size_t size = 0;
	std::unique_ptr<void, void (*)(void *)> owner{nullptr, [](void *) {}};
};

// Frames beyond the first three, which no message of ours has, are counted and not kept.
struct Message
{
	static constexpr size_t kMostFrames = 3;

	std::array<Frame, kMostFrames> frames;
	size_t count = 0;

	// REQUIRES: i < kMostFrames. Empty if there is none.
	std::string_view frame(size_t i) const
	{
		return {reinterpret_cast<const char *>(frames[i].data), frames[i].size};
	}
};

} // namespace vfdw

#endif
