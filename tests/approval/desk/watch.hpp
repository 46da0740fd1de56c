// The desk's view of an office's log, kept beside its queue.
#pragma once

#include "approval/desk/log_watch.hpp"
#include "tests/approval/fixture.hpp"

#include <memory>

namespace interlock::test {

inline std::unique_ptr<desk::LogWatch> watch_of(Office& office) {
    return must(desk::LogWatch::open({office.directory.path()}, office.clock, office.random));
}

} // namespace interlock::test
