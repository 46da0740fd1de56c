#include "base/file.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <pwd.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace interlock::base {
namespace {

/// A descriptor that closes itself.
class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (number_ >= 0) {
            ::close(number_);
        }
    }
    int number() const { return number_; }
    bool valid() const { return number_ >= 0; }

private:
    int number_;
};

Error system_error(const std::string& path, std::string_view verb, int number) {
    const Errc code = number == ENOENT                      ? Errc::not_found
                      : number == EACCES || number == EPERM ? Errc::permission_denied
                                                            : Errc::io;
    return Error{
        code,
        path + " cannot be " + std::string(verb) + ": " + std::strerror(number) + ".",
        number == ENOSPC ? "Free some space on its file system."
                         : "Check the path and its permissions."};
}

bool write_all(int descriptor, std::string_view content) {
    while (!content.empty()) {
        const ssize_t written = ::write(descriptor, content.data(), content.size());
        if (written < 0 && errno != EINTR) {
            return false;
        }
        content.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
    }
    return true;
}

std::string parent_of(const std::string& path) {
    const auto parent = std::filesystem::path(path).parent_path().string();
    return parent.empty() ? "." : parent;
}

std::string home_directory() {
    if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
        return home;
    }
    std::vector<char> buffer(16 * 1024);
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 &&
        found != nullptr) {
        return found->pw_dir;
    }
    return "/";
}

} // namespace

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid()) {
        return system_error(path, "opened", errno);
    }
    std::string content;
    std::vector<char> buffer(64 * 1024);
    for (;;) {
        const ssize_t count = ::read(file.number(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return system_error(path, "read", errno);
        }
        if (count == 0) {
            return content;
        }
        content.append(buffer.data(), static_cast<std::size_t>(count));
        if (content.size() > bytes_max) {
            return Error{
                Errc::limit_exceeded,
                path + " has more than " + std::to_string(bytes_max) + " bytes.",
                "Name a smaller file."};
        }
    }
}

Status write_file_atomically(const std::string& path, std::string_view content, unsigned mode) {
    std::string beside = path + ".XXXXXX";
    {
        const Descriptor file(::mkostemp(beside.data(), O_CLOEXEC));
        if (!file.valid()) {
            return system_error(path, "written", errno);
        }
        if (::fchmod(file.number(), mode) != 0 || !write_all(file.number(), content) ||
            ::fsync(file.number()) != 0) {
            const int why = errno;
            ::unlink(beside.c_str());
            return system_error(path, "written", why);
        }
    }
    if (::rename(beside.c_str(), path.c_str()) != 0) {
        const int why = errno;
        ::unlink(beside.c_str());
        return system_error(path, "replaced", why);
    }
    // Without this the rename itself may be lost with the power.
    const Descriptor directory(::open(parent_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.valid() && ::fsync(directory.number()) != 0 && errno != EINVAL) {
        return system_error(path, "synced", errno);
    }
    return done;
}

Status make_private_directory(const std::string& path) {
    if (path.empty()) {
        return Error{Errc::invalid_input, "A directory without a name was asked for.", "Name it."};
    }
    std::string part;
    for (const auto& name : std::filesystem::path(path)) {
        part = (std::filesystem::path(part) / name).string();
        if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST && errno != EROFS &&
            errno != EACCES) {
            return system_error(path, "created", errno);
        }
    }
    struct stat about {};
    if (::stat(path.c_str(), &about) != 0) {
        return system_error(path, "created", errno);
    }
    if (!S_ISDIR(about.st_mode)) {
        return Error{Errc::io, path + " is not a directory.", "Name another path."};
    }
    if ((about.st_mode & 022) != 0) {
        return Error{
            Errc::permission_denied,
            path + " may be written by other users of this machine.",
            "Run chmod 700 on it."};
    }
    if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) {
        return system_error(path, "used", errno);
    }
    return done;
}

std::string default_state_directory() {
    if (const char* own = std::getenv("INTERLOCK_STATE"); own != nullptr && *own != '\0') {
        return own;
    }
    // The XDG specification says that a relative path there is to be ignored.
    if (const char* xdg = std::getenv("XDG_STATE_HOME"); xdg != nullptr && *xdg == '/') {
        return std::string(xdg) + "/interlock";
    }
    return home_directory() + "/.local/state/interlock";
}

Result<std::string> make_temporary_directory(std::string_view prefix) {
    const char* base = std::getenv("TMPDIR");
    std::string path = base != nullptr && *base == '/' ? base : "/tmp";
    path += '/';
    path += prefix;
    path += "-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) {
        return system_error(path, "created", errno);
    }
    return path;
}

Status remove_recursively(const std::string& path) {
    if (path.empty() || std::filesystem::path(path).lexically_normal() == "/") {
        return Error{Errc::invalid_input, "The root directory is not removed.", ""};
    }
    std::error_code problem;
    std::filesystem::remove_all(path, problem);
    if (problem) {
        return system_error(path, "removed", problem.value());
    }
    return done;
}

} // namespace interlock::base
