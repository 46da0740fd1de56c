#include "tools/postgres/log_files.hpp"

#include "base/limits.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace interlock::tools {
namespace {

using base::Errc;
using base::Error;
namespace limits = base::limits;

base::Time time_of(const timespec& time) {
    return base::Time{
        std::chrono::seconds{time.tv_sec} +
        std::chrono::duration_cast<base::Duration>(std::chrono::nanoseconds{time.tv_nsec})};
}

Error failure(const std::string& what, int number) {
    const bool refused = number == EACCES || number == EPERM;
    return {
        refused            ? Errc::permission_denied
        : number == ENOENT ? Errc::not_found
                           : Errc::io,
        what + ": " + std::strerror(number) + ".",
        refused ? "Let this server's user read them: log_file_mode = 0640 and its group."
                : "Check `logs` of the target in the configuration."};
}

/// Why this is no log file; "" = it may be one.
std::string refusal(const std::string& name, const struct stat& entry) {
    if (S_ISLNK(entry.st_mode)) {
        return "a symbolic link";
    }
    if (!S_ISREG(entry.st_mode)) {
        return S_ISDIR(entry.st_mode) ? "a directory" : "not a regular file";
    }
    for (const std::string_view packed : {".gz", ".xz", ".zst", ".bz2", ".lz4"}) {
        if (name.ends_with(packed)) {
            return "compressed; unpack it to have it read";
        }
    }
    return {};
}

struct Probe {
    std::int64_t offset = 0; // of the entry
    base::Time at;
};

/// The first entry that begins behind `offset`.
std::optional<Probe> probe(
    const LogFile& file, std::int64_t offset, std::vector<char>& buffer, const EntryTime& entry_time
) {
    const std::size_t size =
        file.read(buffer.data(), std::min(limits::log_probe_bytes, buffer.size()), offset);
    std::string_view text{buffer.data(), size};
    std::size_t at = offset == 0 ? 0 : std::min(text.find('\n'), text.size() - 1) + 1;
    while (at < text.size()) {
        const std::size_t end = text.find('\n', at);
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        std::optional<base::Time> when;
        if (entry_time(text.substr(at, end - at), when) && when) {
            return Probe{offset + static_cast<std::int64_t>(at), *when};
        }
        at = end + 1;
    }
    return std::nullopt;
}

} // namespace

LogFile::LogFile(int descriptor, std::string name, std::int64_t bytes, base::Time modified)
    : descriptor_{descriptor}, name_{std::move(name)}, bytes_{bytes}, modified_{modified} {}

LogFile::~LogFile() {
    ::close(descriptor_);
}

std::size_t LogFile::read(char* into, std::size_t size, std::int64_t offset) const {
    const auto left = static_cast<std::size_t>(std::max<std::int64_t>(bytes_ - offset, 0));
    const std::size_t wanted = std::min(size, left);
    std::size_t done = 0;
    while (done < wanted) {
        const ssize_t count = ::pread(
            descriptor_, into + done, wanted - done, offset + static_cast<std::int64_t>(done)
        );
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) { // truncated meanwhile, or the disk fails: what was read counts
            break;
        }
        done += static_cast<std::size_t>(count);
    }
    return done;
}

LogDirectory::LogDirectory(int descriptor, std::string path)
    : descriptor_{descriptor}, path_{std::move(path)} {}

LogDirectory::~LogDirectory() {
    ::close(descriptor_);
}

base::Result<std::unique_ptr<LogDirectory>> LogDirectory::open(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        return failure("The log directory " + path + " cannot be opened", errno);
    }
    return std::unique_ptr<LogDirectory>(new LogDirectory(descriptor, path));
}

base::Result<LogDirectoryFiles> LogDirectory::list(base::Time since) const {
    // A descriptor of its own: closedir() closes it, and two lists share no position.
    const int own = ::openat(descriptor_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::unique_ptr<DIR, int (*)(DIR*)> entries{
        own < 0 ? nullptr : ::fdopendir(own), &::closedir};
    if (!entries) {
        const int why = errno;
        if (own >= 0) {
            ::close(own);
        }
        return failure("The log directory " + path_ + " cannot be listed", why);
    }
    LogDirectoryFiles out;
    std::vector<std::pair<base::Time, std::string>> found;
    std::size_t count = 0;
    while (const dirent* entry = ::readdir(entries.get())) {
        const std::string name{entry->d_name};
        if (name == "." || name == "..") {
            continue;
        }
        if (++count > limits::log_files_max) {
            out.more = true;
            break;
        }
        struct stat facts {};
        if (::fstatat(descriptor_, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0 ||
            time_of(facts.st_mtim) < since) {
            continue;
        }
        if (std::string why = refusal(name, facts); !why.empty()) {
            out.refused.push_back({name, std::move(why)});
        } else {
            found.emplace_back(time_of(facts.st_mtim), name);
        }
    }
    std::sort(found.begin(), found.end(), std::greater<>{});
    for (auto& [modified, name] : found) {
        out.names.push_back(std::move(name));
    }
    return out;
}

base::Result<std::unique_ptr<LogFile>> LogDirectory::file(const std::string& name) const {
    // Between the listing and now it may have become anything: it is judged again when it is open.
    const int descriptor = ::openat(
        descriptor_, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
    );
    if (descriptor < 0) {
        return failure("The log file cannot be opened", errno);
    }
    struct stat facts {};
    const bool regular = ::fstat(descriptor, &facts) == 0 && S_ISREG(facts.st_mode);
    if (name.find('/') != std::string::npos || !regular) {
        ::close(descriptor);
        return Error{Errc::refused, "It is not a regular file of the log directory.", ""};
    }
    (void)::posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
    return std::make_unique<LogFile>(descriptor, name, facts.st_size, time_of(facts.st_mtim));
}

LogLines::LogLines(const LogFile& file, std::vector<char>& buffer, std::int64_t from)
    : file_{file}, buffer_{buffer}, from_{from}, offset_{from} {}

bool LogLines::fill() {
    const std::size_t left = end_ - begin_;
    std::memmove(buffer_.data(), buffer_.data() + begin_, left);
    begin_ = 0;
    end_ = left;
    const std::size_t count = file_.read(buffer_.data() + end_, buffer_.size() - end_, offset_);
    end_ += count;
    offset_ += static_cast<std::int64_t>(count);
    return count > 0;
}

bool LogLines::finish() {
    ended_ = true;
    torn_ += end_ - begin_;
    begin_ = end_;
    return false;
}

bool LogLines::next(std::string_view& line, bool& cut) {
    cut = false;
    std::size_t looked = 0; // bytes of the line that hold no end
    while (!ended_) {
        const std::string_view rest{buffer_.data() + begin_, end_ - begin_};
        const std::size_t end = rest.find('\n', looked);
        if (end != std::string_view::npos) {
            line = rest.substr(0, std::min(end, limits::log_line_bytes_max));
            cut = cut || end > line.size();
            begin_ += end + 1;
            return true;
        }
        looked = rest.size();
        if (rest.size() == buffer_.size()) { // longer than the buffer: its beginning is kept
            cut = true;
            end_ = limits::log_line_bytes_max;
            looked = end_;
        }
        if (!fill()) {
            return finish();
        }
    }
    return false;
}

std::int64_t first_offset(
    const LogFile& file, base::Time from, std::vector<char>& buffer, const EntryTime& entry_time
) {
    constexpr std::int64_t worth_it = 4 * static_cast<std::int64_t>(limits::log_buffer_bytes);
    const base::Time wanted = from - limits::log_disorder_max;
    const auto first = probe(file, 0, buffer, entry_time);
    if (file.bytes() < worth_it || !first || first->at >= wanted) {
        return 0;
    }
    Probe low = *first;
    std::int64_t high = file.bytes();
    std::optional<base::Time> high_at;
    while (high - low.offset > static_cast<std::int64_t>(limits::log_buffer_bytes)) {
        const std::int64_t middle = low.offset + (high - low.offset) / 2;
        const auto found = probe(file, middle, buffer, entry_time);
        if (!found || found->offset >= high) {
            high = middle; // one long text, or the end
            continue;
        }
        if (found->at + limits::log_disorder_max < low.at ||
            (high_at && found->at > *high_at + limits::log_disorder_max)) {
            return 0;
        }
        if (found->at < wanted) {
            low = *found;
        } else {
            high = middle;
            high_at = found->at;
        }
    }
    return low.offset;
}

} // namespace interlock::tools
