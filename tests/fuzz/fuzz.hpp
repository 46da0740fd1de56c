// One body, two lives: under libFuzzer it is the target's entry point; in the ordinary test build
// it runs over its corpus (tests/fuzz/corpus/<name>/) as a test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace interlock::test {

using FuzzBody = void (*)(std::string_view);

struct FuzzTarget {
    FuzzTarget(const char* name, FuzzBody body);
};

/// A property that must hold for every input; ends the process so that any fuzzer notices.
inline void must_hold(bool property) {
    if (!property) {
        std::abort();
    }
}

} // namespace interlock::test

#ifdef INTERLOCK_FUZZ
#define INTERLOCK_FUZZ_TARGET(name, body)                                                          \
    extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {            \
        body(std::string_view(reinterpret_cast<const char*>(data), size));                         \
        return 0;                                                                                  \
    }
#else
#define INTERLOCK_FUZZ_TARGET(name, body)                                                          \
    const interlock::test::FuzzTarget name##_target(#name, body);
#endif
