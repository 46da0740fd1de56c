#include "base/process.hpp"

#include "base/clock.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <map>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace interlock::base {
namespace {

using std::chrono::milliseconds;

/// A descriptor that closes itself.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        reset(other.release());
        return *this;
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { reset(-1); }

    int number() const { return number_; }
    bool valid() const { return number_ >= 0; }
    int release() { return std::exchange(number_, -1); }
    void reset(int number) {
        if (number_ >= 0) {
            ::close(number_);
        }
        number_ = number;
    }

private:
    int number_ = -1;
};

/// The system call itself: glibc 2.36 declares its wrapper without C linkage.
int open_pidfd(pid_t pid) {
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

struct Pipe {
    Descriptor read;
    Descriptor write;
};

Error failed(const std::string& what, int number, std::string remedy = "") {
    return Error{Errc::io, what + ": " + std::strerror(number) + ".", std::move(remedy)};
}

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return failed("No pipe to a child process can be made", errno);
    }
    return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

void make_nonblocking(int descriptor) {
    ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
}

Result<Descriptor> open_output(const std::string& path) {
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!file.valid()) {
        return failed(
            "The output file " + path + " cannot be opened", errno, "Check its directory."
        );
    }
    return file;
}

/// Milliseconds until `end`, for poll.
int left_until(Ticks end) {
    const auto left = std::chrono::ceil<milliseconds>(end - SystemClock().ticks());
    return static_cast<int>(std::clamp<long long>(left.count(), 0, 3'600'000));
}

Ticks after(milliseconds duration) {
    // Past a year nobody can tell it from forever, and the addition cannot overflow.
    return SystemClock().ticks() + std::min(duration, milliseconds{std::chrono::hours{24 * 365}});
}

int exit_code_of(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// Writing to a pipe nobody reads must be an error here, whatever the program did with SIGPIPE.
class SigpipeHeld {
public:
    SigpipeHeld() {
        sigemptyset(&pipe_);
        sigaddset(&pipe_, SIGPIPE);
        sigset_t pending;
        sigpending(&pending);
        was_pending_ = sigismember(&pending, SIGPIPE) == 1;
        pthread_sigmask(SIG_BLOCK, &pipe_, &old_);
    }
    SigpipeHeld(const SigpipeHeld&) = delete;
    SigpipeHeld& operator=(const SigpipeHeld&) = delete;
    ~SigpipeHeld() {
        const timespec now{};
        while (!was_pending_ && sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {
        }
        pthread_sigmask(SIG_SETMASK, &old_, nullptr);
    }

private:
    sigset_t pipe_{};
    sigset_t old_{};
    bool was_pending_ = false;
};

struct Account {
    uid_t user = 0;
    gid_t group = 0;
    std::vector<gid_t> groups;
    std::string home;
};

Result<Account> find_account(const std::string& user) {
    std::vector<char> buffer(64 * 1024);
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
        found == nullptr) {
        return Error{
            Errc::not_found, "This machine has no user " + user + ".", "Name an existing user."};
    }
    Account account{entry.pw_uid, entry.pw_gid, std::vector<gid_t>(256), entry.pw_dir};
    int count = static_cast<int>(account.groups.size());
    if (::getgrouplist(user.c_str(), entry.pw_gid, account.groups.data(), &count) < 0) {
        return Error{Errc::io, "The groups of user " + user + " cannot be read.", ""};
    }
    account.groups.resize(static_cast<std::size_t>(count));
    return account;
}

/// Everything the child needs, made before the fork: between fork and exec only plain system
/// calls are safe, because other threads may have held any lock.
struct Image {
    std::string program;
    std::vector<std::string> environment;
    std::vector<char*> argv;
    std::vector<char*> envp;
    std::optional<Account> account;
};

std::string find_program(const std::string& name, const std::string& path) {
    if (name.find('/') != std::string::npos) {
        return name;
    }
    std::size_t start = 0;
    while (start <= path.size()) {
        const std::size_t end = std::min(path.find(':', start), path.size());
        std::string candidate = path.substr(start, end - start) + "/" + name;
        if (end > start && ::access(candidate.c_str(), X_OK) == 0) {
            return candidate;
        }
        start = end + 1;
    }
    return "";
}

std::map<std::string, std::string> environment_of(const Command& command, const Image& image) {
    std::map<std::string, std::string> merged;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string text = *entry;
        const auto equals = text.find('=');
        if (equals != std::string::npos) {
            merged[text.substr(0, equals)] = text.substr(equals + 1);
        }
    }
    if (image.account) {
        merged["HOME"] = image.account->home;
        merged["USER"] = command.user;
        merged["LOGNAME"] = command.user;
    }
    for (const auto& [key, value] : command.environment) {
        merged[key] = value;
    }
    return merged;
}

Result<Image> make_image(const Command& command) {
    if (command.arguments.empty() || command.arguments.front().empty()) {
        return Error{Errc::internal, "A child process needs a program to run.", ""};
    }
    Image image;
    if (!command.user.empty()) {
        INTERLOCK_TRY(image.account, find_account(command.user));
    }
    const auto environment = environment_of(command, image);
    const auto path = environment.find("PATH");
    image.program = find_program(
        command.arguments.front(),
        path == environment.end() ? "/usr/local/bin:/usr/bin:/bin" : path->second
    );
    if (image.program.empty()) {
        return Error{
            Errc::not_found,
            "The program " + command.arguments.front() + " is not in PATH.",
            "Install it or extend PATH."};
    }
    for (const auto& [key, value] : environment) {
        image.environment.push_back(key + "=" + value);
    }
    for (auto& entry : image.environment) {
        image.envp.push_back(entry.data());
    }
    for (const auto& argument : command.arguments) {
        // execve takes char* for history's sake and changes nothing.
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
        image.argv.push_back(const_cast<char*>(argument.c_str()));
    }
    image.envp.push_back(nullptr);
    image.argv.push_back(nullptr);
    return image;
}

bool take_identity(const Account& account) {
    if (::getuid() == account.user && ::geteuid() == account.user) {
        return true; // already it; changing groups would need root
    }
    return ::setgroups(account.groups.size(), account.groups.data()) == 0 &&
           ::setgid(account.group) == 0 && ::setuid(account.user) == 0;
}

void restore_signals() {
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGCHLD}) {
        ::sigaction(number, &standard, nullptr);
    }
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

struct Streams {
    int in;
    int out;
    int err;
};

/// Runs in the child. Answers only when something failed, with errno set.
void become(const Command& command, const Image& image, const Streams& streams, pid_t parent) {
    restore_signals();
    if (!command.keep_terminal) {
        ::setpgid(0, 0);
    }
    // Moved out of the way first: one of them may itself be 0, 1 or 2.
    const int in = ::fcntl(streams.in, F_DUPFD_CLOEXEC, 3);
    const int out = ::fcntl(streams.out, F_DUPFD_CLOEXEC, 3);
    const int err = ::fcntl(streams.err, F_DUPFD_CLOEXEC, 3);
    if (in < 0 || out < 0 || err < 0 || ::dup2(in, 0) < 0 || ::dup2(out, 1) < 0 ||
        ::dup2(err, 2) < 0) {
        return;
    }
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    if (image.account && !take_identity(*image.account)) {
        return;
    }
    // After the identity: changing it clears this. The parent may be gone already.
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent) {
        return;
    }
    if (!command.directory.empty() && ::chdir(command.directory.c_str()) != 0) {
        return;
    }
    ::execve(image.program.c_str(), image.argv.data(), image.envp.data());
}

/// Starts the child and answers once it runs the program, or with the reason why it could not.
Result<pid_t> launch(const Command& command, const Streams& streams) {
    INTERLOCK_TRY(const Image image, make_image(command));
    INTERLOCK_TRY(Pipe report, make_pipe());
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) {
        return failed("No child process can be started", errno);
    }
    if (pid == 0) {
        become(command, image, streams, parent);
        const int why = errno;
        [[maybe_unused]] const ssize_t told = ::write(report.write.number(), &why, sizeof why);
        ::_exit(127);
    }
    report.write.reset(-1);
    int why = 0;
    ssize_t count = 0;
    do {
        count = ::read(report.read.number(), &why, sizeof why);
    } while (count < 0 && errno == EINTR);
    if (count == 0) {
        return pid; // exec closed the pipe
    }
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return failed(
        "The program " + command.arguments.front() + " cannot be started",
        why,
        "Check that it is installed and may be run."
    );
}

/// The whole group where there is one, so that what the child started goes with it. The child
/// must not have been reaped yet: until then its number belongs to nobody else.
void kill_hard(pid_t pid) {
    if (pid > 1 && ::kill(-pid, SIGKILL) != 0) {
        ::kill(pid, SIGKILL);
    }
}

/// Waits for the end of a child without reaping it.
Result<bool> has_ended_by(pid_t pid, Ticks end) {
    const Descriptor process(open_pidfd(pid));
    if (!process.valid()) {
        return failed("The child process cannot be watched", errno);
    }
    for (;;) {
        pollfd watched{process.number(), POLLIN, 0};
        const int left = left_until(end);
        if (::poll(&watched, 1, left) > 0) {
            return true;
        }
        if (left == 0) {
            return false;
        }
    }
}

int reap(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return exit_code_of(status);
}

/// Reads what is there now. False at the end of the stream.
bool drain(int descriptor, std::string& into) {
    std::array<char, 16 * 1024> buffer{};
    for (;;) {
        const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
        if (count > 0) {
            into.append(buffer.data(), static_cast<std::size_t>(count));
            if (into.size() > limits::child_output_bytes_max) {
                return true;
            }
        } else if (count == 0) {
            return false;
        } else if (errno != EINTR) {
            return errno == EAGAIN;
        }
    }
}

/// The three pipes of one run and what came through them.
struct Conversation {
    Descriptor in;
    Descriptor out;
    Descriptor err;
    std::string_view input;
    Output output;

    void feed() {
        const SigpipeHeld held;
        const ssize_t count = ::write(in.number(), input.data(), input.size());
        if (count > 0) {
            input.remove_prefix(static_cast<std::size_t>(count));
        }
        if (input.empty() || (count < 0 && errno != EAGAIN && errno != EINTR)) {
            in.reset(-1); // all told, or nobody listens any more
        }
    }
    void listen() {
        if (out.valid() && !drain(out.number(), output.out)) {
            out.reset(-1);
        }
        if (err.valid() && !drain(err.number(), output.err)) {
            err.reset(-1);
        }
    }
    bool too_much() const {
        return output.out.size() > limits::child_output_bytes_max ||
               output.err.size() > limits::child_output_bytes_max;
    }
};

/// Moves bytes until the child has ended. Its end counts, not that of its pipes: a grandchild may
/// keep those open for ever.
Status converse(Conversation& talk, pid_t pid, milliseconds deadline, const std::string& program) {
    const Descriptor process(open_pidfd(pid));
    if (!process.valid()) {
        return failed("The child process cannot be watched", errno);
    }
    const Ticks end = after(deadline);
    for (;;) {
        std::array<pollfd, 4> watched{
            pollfd{talk.in.number(), POLLOUT, 0},
            pollfd{talk.out.number(), POLLIN, 0},
            pollfd{talk.err.number(), POLLIN, 0},
            pollfd{process.number(), POLLIN, 0}};
        const int left = left_until(end);
        const int ready = ::poll(watched.data(), watched.size(), left);
        if (talk.in.valid() && watched[0].revents != 0) {
            talk.feed();
        }
        talk.listen();
        if (talk.too_much()) {
            return Error{
                Errc::limit_exceeded,
                program + " wrote more than " + std::to_string(limits::child_output_bytes_max) +
                    " bytes and was ended.",
                ""};
        }
        if (watched[3].revents != 0) {
            talk.listen(); // what it wrote between the last look and its end
            return done;
        }
        if (ready == 0 && left == 0) {
            return Error{
                Errc::timeout,
                program + " did not end within " + std::to_string(deadline.count()) +
                    " ms and was killed.",
                "Try again; raise the deadline if it is honest work."};
        }
    }
}

} // namespace

Result<Output> run(const Command& command, std::string_view input, milliseconds deadline) {
    INTERLOCK_TRY(Pipe in, make_pipe());
    INTERLOCK_TRY(Pipe out, make_pipe());
    INTERLOCK_TRY(Pipe err, make_pipe());
    Streams streams{in.read.number(), out.write.number(), err.write.number()};
    Descriptor out_file;
    Descriptor err_file;
    if (!command.stdout_path.empty()) {
        INTERLOCK_TRY(out_file, open_output(command.stdout_path));
        streams.out = out_file.number();
    }
    if (!command.stderr_path.empty()) {
        INTERLOCK_TRY(err_file, open_output(command.stderr_path));
        streams.err = err_file.number();
    }
    INTERLOCK_TRY(const pid_t pid, launch(command, streams));
    in.read.reset(-1);
    out.write.reset(-1);
    err.write.reset(-1);
    Conversation talk{std::move(in.write), std::move(out.read), std::move(err.read), input, {}};
    for (const int descriptor : {talk.in.number(), talk.out.number(), talk.err.number()}) {
        make_nonblocking(descriptor);
    }
    if (input.empty()) {
        talk.in.reset(-1);
    }
    auto status = converse(talk, pid, deadline, command.arguments.front());
    if (!status) {
        kill_hard(pid);
    }
    talk.output.exit_code = reap(pid);
    if (!status) {
        return std::move(status).error();
    }
    return std::move(talk.output);
}

Result<Child> Child::start(const Command& command) {
    INTERLOCK_TRY(Pipe in, make_pipe());
    INTERLOCK_TRY(Pipe out, make_pipe());
    Streams streams{in.read.number(), out.write.number(), 2};
    Descriptor out_file;
    Descriptor err_file;
    if (!command.stdout_path.empty()) {
        INTERLOCK_TRY(out_file, open_output(command.stdout_path));
        streams.out = out_file.number();
    }
    if (!command.stderr_path.empty()) {
        INTERLOCK_TRY(err_file, open_output(command.stderr_path));
        streams.err = err_file.number();
    }
    INTERLOCK_TRY(const pid_t pid, launch(command, streams));
    make_nonblocking(in.write.number());
    make_nonblocking(out.read.number());
    Child child;
    child.pid_ = pid;
    child.in_ = in.write.release();
    child.out_ = out.read.release();
    return child;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      in_(std::exchange(other.in_, -1)),
      out_(std::exchange(other.out_, -1)),
      buffer_(std::move(other.buffer_)),
      exit_code_(std::exchange(other.exit_code_, std::nullopt)) {}

Child& Child::operator=(Child&& other) noexcept {
    if (this != &other) {
        Child old(std::move(*this)); // ended when it goes out of scope
        pid_ = std::exchange(other.pid_, -1);
        in_ = std::exchange(other.in_, -1);
        out_ = std::exchange(other.out_, -1);
        buffer_ = std::move(other.buffer_);
        exit_code_ = std::exchange(other.exit_code_, std::nullopt);
    }
    return *this;
}

Child::~Child() {
    if (pid_ > 0) {
        stop();
    }
    close_input();
    if (out_ >= 0) {
        ::close(out_);
    }
}

std::optional<int> Child::poll() {
    if (!exit_code_ && pid_ > 0) {
        int status = 0;
        if (::waitpid(pid_, &status, WNOHANG) == pid_) {
            exit_code_ = exit_code_of(status);
        }
    }
    return exit_code_;
}

Result<int> Child::wait(milliseconds deadline) {
    if (!poll()) {
        INTERLOCK_TRY(const bool ended, has_ended_by(pid_, after(deadline)));
        if (!ended) {
            return Error{
                Errc::timeout,
                "The child process did not end within " + std::to_string(deadline.count()) + " ms.",
                ""};
        }
        exit_code_ = reap(pid_);
    }
    return *exit_code_;
}

Status Child::write(std::string_view bytes) {
    const SigpipeHeld held;
    const Ticks end = after(limits::child_deadline);
    while (!bytes.empty()) {
        const ssize_t count = ::write(in_, bytes.data(), bytes.size());
        if (count > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(count));
            continue;
        }
        if (count < 0 && errno != EAGAIN && errno != EINTR) {
            return failed("The child process does not take input", errno);
        }
        pollfd watched{in_, POLLOUT, 0};
        const int left = left_until(end);
        if (::poll(&watched, 1, left) == 0 && left == 0) {
            return Error{Errc::timeout, "The child process does not read its input.", ""};
        }
    }
    return done;
}

void Child::close_input() {
    if (in_ >= 0) {
        ::close(std::exchange(in_, -1));
    }
}

std::optional<std::string> Child::read_line(milliseconds deadline) {
    const Ticks end = after(deadline);
    bool ended = out_ < 0;
    for (;;) {
        const auto newline = buffer_.find('\n');
        // A line past the cap is handed out in pieces rather than kept growing.
        const bool too_long = buffer_.size() > limits::child_output_bytes_max;
        if (newline != std::string::npos || too_long || (ended && !buffer_.empty())) {
            const std::size_t length = std::min(newline, buffer_.size());
            std::string line = buffer_.substr(0, length);
            buffer_.erase(0, newline == std::string::npos ? length : length + 1);
            return line;
        }
        if (ended) {
            return std::nullopt;
        }
        pollfd watched{out_, POLLIN, 0};
        const int left = left_until(end);
        if (::poll(&watched, 1, left) == 0 && left == 0) {
            return std::nullopt;
        }
        if (watched.revents != 0) {
            ended = !drain(out_, buffer_);
        }
    }
}

void Child::signal(int number) {
    if (pid_ > 0 && !poll()) {
        ::kill(pid_, number);
    }
}

int Child::stop(milliseconds grace) {
    signal(SIGTERM);
    if (!exit_code_ && pid_ > 0) {
        (void)has_ended_by(pid_, after(grace));
        kill_hard(pid_); // also what is left of its group when it has ended by itself
        exit_code_ = reap(pid_);
    }
    return exit_code_.value_or(-1);
}

std::string current_user() {
    std::vector<char> buffer(64 * 1024);
    passwd entry{};
    passwd* found = nullptr;
    const uid_t user = ::geteuid();
    if (::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
        return "uid-" + std::to_string(user);
    }
    return entry.pw_name;
}

} // namespace interlock::base
