// The tar of an audit bundle (POSIX ustar), as much of it as a bundle needs: regular files with
// plain relative names. The same files make the same bytes, whoever writes them and when. What is
// read comes from outside: anything else than such files is refused.
#pragma once

#include "base/result.hpp"

#include <map>
#include <string>
#include <string_view>

namespace interlock::cli {

/// Path -> content, in the order in which they are written.
using Files = std::map<std::string, std::string>;

/// limit_exceeded when it would be larger than a bundle may be; invalid_input for a path that no
/// bundle holds.
base::Result<std::string> write_tar(const Files& files);
/// invalid_input says what is wrong: cut off, a bad checksum, a link, a path that leads elsewhere,
/// anything behind a file or the end.
base::Result<Files> read_tar(std::string_view bytes);

} // namespace interlock::cli
