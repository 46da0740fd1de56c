#include "base/clock.hpp"
#include "base/process.hpp"
#include "tests/support/fakes.hpp"

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace interlock::base {
namespace {

using namespace std::chrono_literals;

Command shell(const std::string& script) {
    Command command;
    command.arguments = {"sh", "-c", script};
    return command;
}

bool is_alive(int pid) {
    return ::kill(pid, 0) == 0;
}

/// Waits for a condition instead of sleeping and hoping.
template <class Condition>
bool eventually(Condition condition) {
    SystemClock clock;
    const Ticks end = clock.ticks() + 10s;
    while (!condition()) {
        if (clock.ticks() > end) {
            return false;
        }
        clock.sleep_for(2ms);
    }
    return true;
}

/// Whether the process has ended; one that nobody has reaped yet counts as ended.
bool has_ended(int pid) {
    const auto status = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
    return !status.ok() || status->find(") Z ") != std::string::npos;
}

} // namespace

TEST_CASE("a command is run with its input, and both outputs are captured", "[base]") {
    const auto output = run(shell("cat; echo error >&2; exit 3"), "hello");
    REQUIRE(output.ok());
    CHECK(output->out == "hello");
    CHECK(output->err == "error\n");
    CHECK(output->exit_code == 3);
}

TEST_CASE("arguments reach the program as they are, without a shell", "[base]") {
    Command command;
    command.arguments = {"printf", "%s|", "$HOME", "a b", "", "; ls", "`id`"};
    const auto output = run(command);
    REQUIRE(output.ok());
    CHECK(output->out == "$HOME|a b||; ls|`id`|");
}

TEST_CASE("large input and output pass through without a deadlock", "[base]") {
    const std::string big(900'000, 'x');
    const auto output = run(shell("tee /dev/stderr"), big);
    REQUIRE(output.ok());
    CHECK(output->out == big);
    CHECK(output->err == big);
}

TEST_CASE("a child that does not read its input does not block or kill us", "[base]") {
    const auto output = run(shell("exec 0<&-; echo done"), std::string(500'000, 'x'));
    REQUIRE(output.ok());
    CHECK(output->out == "done\n");
}

TEST_CASE("output past the limit ends the child", "[base]") {
    const auto output = run(shell("exec yes"));
    REQUIRE_FALSE(output.ok());
    CHECK(output.error().code == Errc::limit_exceeded);
}

TEST_CASE("a deadline kills the child and what it started", "[base]") {
    const test::TemporaryDirectory directory;
    const std::string path = directory.file("pid");
    const auto output = run(shell("sleep 60 & echo $! > " + path + "; wait"), "", 300ms);
    REQUIRE_FALSE(output.ok());
    CHECK(output.error().code == Errc::timeout);
    const int grandchild = std::stoi(read_file(path, 100).value());
    CHECK(eventually([&] { return has_ended(grandchild); }));
}

TEST_CASE("a grandchild that keeps the pipes open does not keep us waiting", "[base]") {
    const auto output = run(shell("sleep 5 & echo started; echo $!"), "", 4s);
    REQUIRE(output.ok());
    CHECK(output->out.starts_with("started\n"));
    ::kill(std::stoi(output->out.substr(8)), SIGKILL);
}

TEST_CASE("a child killed by a signal has the exit code 128 and its number", "[base]") {
    const auto output = run(shell("kill -9 $$"));
    REQUIRE(output.ok());
    CHECK(output->exit_code == 137);
}

TEST_CASE("a program that is absent or no program is an error before anything runs", "[base]") {
    Command command;
    command.arguments = {"interlock-no-such-program"};
    CHECK(run(command).error().code == Errc::not_found);
    command.arguments = {"/etc/passwd"};
    const auto output = run(command);
    REQUIRE_FALSE(output.ok());
    CHECK(output.error().what.find("/etc/passwd") != std::string::npos);
    CHECK_FALSE(run(Command{}).ok());
}

TEST_CASE("directory and environment are set for the child only", "[base]") {
    Command command = shell("pwd; echo $INTERLOCK_TEST_VALUE");
    command.directory = "/";
    command.environment = {{"INTERLOCK_TEST_VALUE", "a=b c"}};
    const auto output = run(command);
    REQUIRE(output.ok());
    CHECK(output->out == "/\na=b c\n");
    CHECK(std::getenv("INTERLOCK_TEST_VALUE") == nullptr);
    command.directory = "/no/such/directory";
    CHECK_FALSE(run(command).ok());
}

TEST_CASE("outputs can go to files", "[base]") {
    const test::TemporaryDirectory directory;
    Command command = shell("echo out; echo err >&2");
    command.stdout_path = directory.file("out");
    command.stderr_path = directory.file("err");
    REQUIRE(run(command).ok());
    CHECK(*read_file(directory.file("out"), 100) == "out\n");
    CHECK(*read_file(directory.file("err"), 100) == "err\n");
    command.stdout_path = directory.file("none/out");
    CHECK_FALSE(run(command).ok());
}

TEST_CASE("our descriptors do not leak into the child", "[base]") {
    const int leaky = ::dup(2); // without close-on-exec
    const auto output = run(shell("ls /proc/self/fd | wc -l"));
    ::close(leaky);
    REQUIRE(output.ok());
    CHECK(std::stoi(output->out) == 4); // the three streams and ls's own directory
}

TEST_CASE("a child starts with default signals", "[base]") {
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    const auto output = run(shell("kill -PIPE $$; echo survived"));
    (void)std::signal(SIGPIPE, before);
    REQUIRE(output.ok());
    CHECK(output->exit_code == 128 + SIGPIPE);
}

TEST_CASE("a child can run as another user when we are root", "[base]") {
    if (::geteuid() != 0) {
        WARN("not root: the change of user is not tested");
        return;
    }
    Command command = shell("id -un; id -gn; echo $HOME");
    command.user = "nobody";
    command.directory = "/";
    const auto output = run(command);
    REQUIRE(output.ok());
    CHECK(output->out.starts_with("nobody\nnogroup\n"));
    command.user = "no-such-user";
    CHECK(run(command).error().code == Errc::not_found);
}

TEST_CASE("we can talk with a child line by line", "[base]") {
    auto child = Child::start(shell("while read line; do echo \"got $line\"; done; printf last"));
    REQUIRE(child.ok());
    REQUIRE(child->write("one\ntwo\n").ok());
    CHECK(child->read_line(5s) == "got one");
    CHECK(child->read_line(5s) == "got two");
    CHECK_FALSE(child->read_line(10ms));
    CHECK_FALSE(child->poll());
    child->close_input();
    CHECK(child->read_line(5s) == "last");
    CHECK_FALSE(child->read_line(5s));
    CHECK(*child->wait(5s) == 0);
    CHECK(child->poll() == 0);
    CHECK_FALSE(child->write("x").ok());
}

TEST_CASE("waiting for a child has a deadline, and stopping it is polite first", "[base]") {
    auto child =
        Child::start(shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done"));
    REQUIRE(child.ok());
    REQUIRE(child->read_line(5s) == "ready");
    const auto waited = child->wait(10ms);
    REQUIRE_FALSE(waited.ok());
    CHECK(waited.error().code == Errc::timeout);
    CHECK(child->stop() == 7);
    CHECK(child->stop() == 7);
}

TEST_CASE("a child that ignores the polite signal is killed with its group", "[base]") {
    auto child = Child::start(shell("trap '' TERM; sleep 60 & echo $!; wait; wait"));
    REQUIRE(child.ok());
    const auto line = child->read_line(5s);
    REQUIRE(line);
    CHECK(child->stop(50ms) == 128 + SIGKILL);
    CHECK(eventually([&] { return has_ended(std::stoi(*line)); }));
}

TEST_CASE("a child ends with its object, also when that is moved", "[base]") {
    int pid = 0;
    {
        auto started = Child::start(shell("exec sleep 60"));
        REQUIRE(started.ok());
        pid = started->pid();
        Child moved = std::move(*started);
        CHECK(moved.pid() == pid);
        CHECK(is_alive(pid));
        CHECK(started->stop() == -1); // nothing to stop
        CHECK(is_alive(pid));
        auto second = Child::start(shell("exec sleep 60"));
        REQUIRE(second.ok());
        const int replaced = second->pid();
        *second = std::move(moved);
        CHECK(has_ended(replaced));
    }
    CHECK(has_ended(pid));
}

TEST_CASE("a child does not outlive a parent that is killed", "[base]") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t parent = ::fork();
    if (parent == 0) {
        auto child = Child::start(shell("exec sleep 60"));
        const int pid = child.ok() ? child->pid() : -1;
        (void)!::write(ends[1], &pid, sizeof pid);
        ::pause();
        ::_exit(0);
    }
    int pid = -1;
    REQUIRE(::read(ends[0], &pid, sizeof pid) == sizeof pid);
    REQUIRE(pid > 0);
    CHECK_FALSE(has_ended(pid));
    ::kill(parent, SIGKILL);
    ::waitpid(parent, nullptr, 0);
    CHECK(eventually([&] { return has_ended(pid); }));
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_CASE("we know who we are", "[base]") {
    const auto output = run(shell("id -un"));
    REQUIRE(output.ok());
    CHECK(current_user() + "\n" == output->out);
}

} // namespace interlock::base
