#include "tests/lab/owner.hpp"

#include <pwd.h>
#include <stdexcept>
#include <unistd.h>

namespace interlock::lab {

void give_to(const std::string& user, const std::string& path) {
    if (user.empty()) {
        return;
    }
    const auto* account = ::getpwnam(user.c_str());
    if (account == nullptr || ::chown(path.c_str(), account->pw_uid, account->pw_gid) != 0) {
        throw std::runtime_error("cannot give " + path + " to " + user);
    }
}

} // namespace interlock::lab
