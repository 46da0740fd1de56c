// The majors of PostgreSQL that tests run on. One comes from Debian, which carries no other; those
// beside it come from npm (tests/lab/package.json), server programs and contrib modules alone:
// client programs are always Debian's.
#pragma once

#include <string>
#include <vector>

namespace interlock::lab {

inline constexpr int system_major = 15;

/// Oldest first.
const std::vector<int>& majors();

/// The directory of initdb and postgres of a major. Those from npm are copied, once a run, to where
/// the operating-system user of a cluster gets in: a checkout may lie in somebody's home.
std::string programs_of(int major);

} // namespace interlock::lab
