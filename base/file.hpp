// Files: whole reads with a cap, atomic writes, private directories.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace interlock::base {

/// The whole file, or limit_exceeded past `bytes_max`.
Result<std::string> read_file(const std::string& path, std::size_t bytes_max);
/// Writes beside the file, syncs, renames over it. `mode` is the file's permission bits.
Status
write_file_atomically(const std::string& path, std::string_view content, unsigned mode = 0600);
/// Makes the directory and its parents (0700) or proves it is usable.
Status make_private_directory(const std::string& path);
/// $INTERLOCK_STATE, else $XDG_STATE_HOME/interlock, else ~/.local/state/interlock.
std::string default_state_directory();
/// A new directory of mode 0700 below $TMPDIR; the caller removes it.
Result<std::string> make_temporary_directory(std::string_view prefix);
Status remove_recursively(const std::string& path);

} // namespace interlock::base
