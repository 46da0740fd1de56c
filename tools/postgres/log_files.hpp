// The log files of one directory, read without following anything out of it: regular files only,
// no symbolic links, no FIFOs. A file that grows is read up to the size that it had when it was
// opened. One buffer, however big the files are.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::tools {

/// An open file of a log directory.
class LogFile {
public:
    LogFile(int descriptor, std::string name, std::int64_t bytes, base::Time modified);
    LogFile(const LogFile&) = delete;
    LogFile& operator=(const LogFile&) = delete;
    ~LogFile();
    const std::string& name() const { return name_; }
    std::int64_t bytes() const { return bytes_; } // when it was opened
    base::Time modified() const { return modified_; }
    /// Up to `size` bytes from `offset`; fewer at the end, or when it could not be read.
    std::size_t read(char* into, std::size_t size, std::int64_t offset) const;

private:
    int descriptor_;
    std::string name_;
    std::int64_t bytes_;
    base::Time modified_;
};

struct RefusedFile {
    std::string name;
    std::string why;
};

struct LogDirectoryFiles {
    std::vector<std::string> names; // of regular files, last written first
    std::vector<RefusedFile> refused;
    bool more = false; // it has more entries than limits::log_files_max
};

class LogDirectory {
public:
    static base::Result<std::unique_ptr<LogDirectory>> open(const std::string& path);
    LogDirectory(const LogDirectory&) = delete;
    LogDirectory& operator=(const LogDirectory&) = delete;
    ~LogDirectory();
    /// Files last written at or after `since`.
    base::Result<LogDirectoryFiles> list(base::Time since) const;
    base::Result<std::unique_ptr<LogFile>> file(const std::string& name) const;

private:
    LogDirectory(int descriptor, std::string path);
    int descriptor_;
    std::string path_;
};

/// The lines of a part of a file, in order.
class LogLines {
public:
    /// `buffer` is used while this lives: limits::log_buffer_bytes.
    LogLines(const LogFile& file, std::vector<char>& buffer, std::int64_t from);
    /// The next line without its end; good until the next call. `cut`: it was longer than
    /// limits::log_line_bytes_max. False: no more complete line.
    bool next(std::string_view& line, bool& cut);
    /// Bytes behind the last complete line: it is being written, or was torn.
    std::size_t torn() const { return torn_; }
    std::int64_t bytes_read() const { return offset_ - from_; }

private:
    bool fill();
    bool finish();

    const LogFile& file_;
    std::vector<char>& buffer_;
    std::int64_t from_;
    std::int64_t offset_; // behind what the buffer holds
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t torn_ = 0;
    bool ended_ = false;
};

/// Whether an entry begins with this line, and when that was.
using EntryTime = std::function<bool(std::string_view line, std::optional<base::Time>& at)>;

/// Where to begin reading to see all entries from `from` on, when the entries are in order; 0 when
/// they are not, or when it does not pay.
std::int64_t first_offset(
    const LogFile& file, base::Time from, std::vector<char>& buffer, const EntryTime& entry_time
);

} // namespace interlock::tools
