#include "base/db/store_path.hpp"

#include "base/process.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace interlock::db {
namespace {

std::string user_name(uid_t user) {
    std::vector<char> buffer(64 * 1024);
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
        return "the user " + std::to_string(user);
    }
    return entry.pw_name;
}

std::string octal(mode_t mode) {
    char text[8];
    std::snprintf(text, sizeof text, "%04o", mode & 07777U);
    return text;
}

} // namespace

std::optional<base::Error> kept_out_of(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 || errno != EACCES) {
        return std::nullopt;
    }
    // The lowest directory that can be seen is the one that may not be entered.
    std::error_code failed;
    auto directory = std::filesystem::absolute(path, failed).parent_path();
    while (::stat(directory.c_str(), &info) != 0 && directory.has_relative_path()) {
        directory = directory.parent_path();
    }
    const std::string owner = user_name(info.st_uid);
    return base::Error{
        base::Errc::permission_denied,
        "Whether there is a store at " + path + " cannot be seen: the directory " +
            directory.string() + " belongs to " + owner + " (mode " + octal(info.st_mode) +
            ") and does not let in " + base::current_user() + ".",
        "Run this as " + owner + " (sudo -u " + owner +
            "), or let this user into the directory and what is in it."};
}

} // namespace interlock::db
