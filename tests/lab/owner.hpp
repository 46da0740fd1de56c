// Whose files are: clusters run as an operating-system user of their own.
#pragma once

#include <string>

namespace interlock::lab {

/// Gives a file or directory to `user`; "" = it stays with who runs the tests. Throws.
void give_to(const std::string& user, const std::string& path);

} // namespace interlock::lab
