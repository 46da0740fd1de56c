// Child processes: started without a shell, with a deadline, output capped, ended by id.
#pragma once

#include "base/limits.hpp"
#include "base/result.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::base {

struct Command {
    std::vector<std::string> arguments;                           // [0] is looked up in PATH
    std::vector<std::pair<std::string, std::string>> environment; // added to ours
    std::string directory;                                        // "" = ours
    std::string user;        // "" = ours; else setuid to it (needs root)
    std::string stdout_path; // "" = a pipe; "/dev/null" or a file otherwise
    std::string stderr_path; // "" = ours (captured by run()); a file otherwise
    // A child leads a process group of its own, so that ending it ends what it started and Ctrl-C
    // reaches only us. Set this for one that must ask something at the terminal.
    bool keep_terminal = false;
};

struct Output {
    int exit_code = 0; // 128 + signal when it was killed
    std::string out;
    std::string err;
};

/// Runs to the end: `input` on stdin, both outputs captured. timeout kills it.
Result<Output>
run(const Command& command,
    std::string_view input = {},
    std::chrono::milliseconds deadline = limits::child_deadline);

/// A child that runs beside us. The destructor ends it (SIGTERM, 2 s, SIGKILL). The kernel ends it
/// when the thread that called start() ends, so start it from one that lives as long.
class Child {
public:
    static Result<Child> start(const Command& command);
    Child(Child&& other) noexcept;
    Child& operator=(Child&& other) noexcept;
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child();

    int pid() const { return pid_; }
    /// Exit code if it has ended, without waiting.
    std::optional<int> poll();
    /// Waits for its end; timeout leaves it running.
    Result<int> wait(std::chrono::milliseconds deadline);
    Status write(std::string_view bytes); // to its stdin
    void close_input();
    /// One line of its stdout without the newline; nullopt at its end or past the deadline.
    std::optional<std::string> read_line(std::chrono::milliseconds deadline);
    void signal(int number);
    /// SIGTERM, then SIGKILL after `grace`; returns once it is reaped.
    int stop(std::chrono::milliseconds grace = std::chrono::milliseconds{2000});

private:
    Child() = default;
    int pid_ = -1;
    int in_ = -1;
    int out_ = -1;
    std::string buffer_;
    std::optional<int> exit_code_;
};

/// The user this process runs as, for `os:<user>` identities.
std::string current_user();

} // namespace interlock::base
