#include "base/db/password.hpp"

#include "base/limits.hpp"
#include "base/process.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace interlock::db {
namespace {

using base::Errc;
using base::Error;
namespace limits = base::limits;

Error refuse(const std::string& source, const std::string& why, std::string remedy) {
    return {Errc::permission_denied, "The password " + source + " " + why + ".", std::move(remedy)};
}

/// What a file, a variable or a command holds, without the end of its only line.
base::Result<std::string> one_line(std::string content, const std::string& source) {
    while (!content.empty() && (content.back() == '\n' || content.back() == '\r')) {
        content.pop_back();
    }
    if (content.empty() || content.size() > limits::password_bytes_max) {
        return refuse(source, "is empty or too long", "Put the password on one line.");
    }
    if (content.find_first_of(std::string_view{"\n\0", 2}) != std::string::npos) {
        return refuse(source, "has more than one line", "Put the password on one line.");
    }
    return content;
}

/// The file must be ours alone.
base::Result<std::string> from_file(const std::string& path) {
    const std::string source = "file " + path;
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) {
        return refuse(
            source, std::string{"cannot be opened: "} + std::strerror(errno), "Check its path."
        );
    }
    struct stat info {};
    std::string content(limits::password_bytes_max + 1, '\0');
    const bool known = ::fstat(file, &info) == 0;
    const auto size = ::read(file, content.data(), content.size());
    ::close(file);
    if (!known || !S_ISREG(info.st_mode) || size < 0) {
        return refuse(source, "is not a readable file", "Name a regular file.");
    }
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return refuse(source, "can be read by others", "Run chmod 600 " + path + ".");
    }
    content.resize(static_cast<std::size_t>(size));
    return one_line(std::move(content), source);
}

base::Result<std::string> from_variable(const std::string& variable) {
    const char* value = ::getenv(variable.c_str());
    const std::string source = "variable " + variable;
    if (value == nullptr) {
        return refuse(source, "is not set", "Set it in the environment of this program.");
    }
    return one_line(value, source);
}

/// Its arguments may say where the secret is and are not shown either.
base::Result<std::string> from_command(const std::vector<std::string>& arguments) {
    const std::string source = "command " + arguments.front();
    base::Command command;
    command.arguments = arguments;
    command.stderr_path = "/dev/null";
    const auto ran = base::run(command, {}, limits::connect_timeout);
    if (!ran) {
        if (ran.error().code == Errc::timeout) {
            return refuse(
                source,
                "did not end within " + std::to_string(limits::connect_timeout.count()) + " ms",
                "Run it by hand as the user of this program."
            );
        }
        return ran.error().code == Errc::limit_exceeded
                   ? refuse(source, "wrote too much", "It is to print the password alone.")
                   : refuse(source, "cannot be run", "Name a program that exists and may be run.");
    }
    if (ran->exit_code != 0) {
        return refuse(
            source,
            "ended with exit code " + std::to_string(ran->exit_code),
            "Run it by hand as the user of this program; its messages are not shown here."
        );
    }
    return one_line(ran->out, source);
}

} // namespace

base::Result<std::optional<std::string>> read_password(const TargetAddress& address) {
    std::string password;
    if (!address.password_file.empty()) {
        INTERLOCK_TRY(password, from_file(address.password_file));
    } else if (!address.password_variable.empty()) {
        INTERLOCK_TRY(password, from_variable(address.password_variable));
    } else if (!address.password_command.empty()) {
        INTERLOCK_TRY(password, from_command(address.password_command));
    } else {
        return std::optional<std::string>{};
    }
    return std::optional{std::move(password)};
}

} // namespace interlock::db
