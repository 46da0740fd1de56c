// A file of lines that is rotated by size. Used by one thread; other processes may do the same to
// the same files, so a rotation holds a lock and looks again at what it is about to rename.
#pragma once

#include <cstddef>
#include <string>

namespace interlock::telemetry {

/// `directory`/`name`.jsonl, and `name`.1.jsonl, the newest that is full, up to `files_kept` with
/// the one being written.
class RotatingFile {
public:
    RotatingFile(std::string directory, std::string name, std::size_t bytes_max, int files_kept);
    RotatingFile(const RotatingFile&) = delete;
    RotatingFile& operator=(const RotatingFile&) = delete;
    ~RotatingFile();
    /// Appends one line whole, or returns false.
    bool append(std::string line);

private:
    std::string path(int age) const;
    void close_file();
    bool open_file();
    bool is_current(std::size_t& bytes) const;
    bool prepare(std::size_t bytes);
    void rotate(std::size_t seen_bytes);

    std::string directory_;
    std::string stem_;
    std::size_t bytes_max_;
    int files_kept_;
    int file_ = -1;
    bool torn_ = false; // the file ends inside a line
};

} // namespace interlock::telemetry
