#include "telemetry/rotating_file.hpp"

#include "base/file.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace interlock::telemetry {

RotatingFile::RotatingFile(
    std::string directory, std::string name, std::size_t bytes_max, int files_kept
)
    : directory_(std::move(directory)),
      stem_(directory_ + '/' + std::move(name)),
      bytes_max_(bytes_max),
      files_kept_(files_kept) {}

RotatingFile::~RotatingFile() {
    close_file();
}

bool RotatingFile::append(std::string line) {
    if (!prepare(line.size() + 1))
        return false;
    // A line that a full disk cut short is closed first, so that it spoils only itself.
    if (torn_)
        line.insert(0, 1, '\n');
    line += '\n';
    std::size_t written = 0;
    while (written < line.size()) {
        const auto count = ::write(file_, line.data() + written, line.size() - written);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            torn_ = torn_ || written > 0;
            return false;
        }
        written += static_cast<std::size_t>(count);
    }
    torn_ = false;
    return true;
}

std::string RotatingFile::path(int age) const {
    return age == 0 ? stem_ + ".jsonl" : stem_ + '.' + std::to_string(age) + ".jsonl";
}

void RotatingFile::close_file() {
    if (file_ >= 0)
        ::close(file_);
    file_ = -1;
}

bool RotatingFile::open_file() {
    if (file_ >= 0)
        return true;
    if (!base::make_private_directory(directory_))
        return false;
    file_ = ::open(path(0).c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    return file_ >= 0;
}

/// Whether our descriptor is still the file of that name, and how long it is.
bool RotatingFile::is_current(std::size_t& bytes) const {
    struct stat ours {};
    struct stat named {};
    if (::fstat(file_, &ours) != 0 || ::stat(path(0).c_str(), &named) != 0)
        return false;
    bytes = static_cast<std::size_t>(ours.st_size);
    return ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

/// Opens the file and makes room in it for `bytes`.
bool RotatingFile::prepare(std::size_t bytes) {
    if (!open_file())
        return false;
    std::size_t present = 0;
    if (!is_current(present)) { // another process rotated it, or somebody removed it
        close_file();
        torn_ = false;
        if (!open_file() || !is_current(present))
            return false;
    }
    if (present == 0 || present + bytes <= bytes_max_)
        return true;
    rotate(present);
    return open_file();
}

void RotatingFile::rotate(std::size_t seen_bytes) {
    const auto lock = ::open((stem_ + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || ::flock(lock, LOCK_EX) != 0) {
        if (lock >= 0)
            ::close(lock);
        return; // better a file too long than spans lost
    }
    std::size_t present = 0;
    if (is_current(present) && present >= seen_bytes) {
        for (int age = files_kept_ - 1; age > 0; --age)
            (void)std::rename(path(age - 1).c_str(), path(age).c_str());
    }
    close_file();
    torn_ = false;
    ::close(lock);
}

} // namespace interlock::telemetry
