// What the audit log holds after the server was killed with -9 in the midst of its work, again and
// again, and after its disk was full: every call has exactly one record of its begin and at most
// one of its end, none an end without a begin, and what a client was answered is recorded whole.
//
// The small run is part of the suite; the whole mark takes minutes and is asked for:
//   INTERLOCK_MARKS=1 crash_test "[hundred-thousand]"
#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/http_client.hpp"
#include "base/json.hpp"
#include "base/process.hpp"
#include "base/state_directory.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/audit_scan.hpp"
#include "tests/support/fakes.hpp"

#include <arpa/inet.h>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <random>
#include <set>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock {
namespace {

constexpr std::size_t clients = 4;
constexpr std::chrono::seconds patience{60};

/// A port of this machine on which nobody listens: the target is out of reach, and at once.
std::string closed_port() {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(socket, raw, size) == 0);
    REQUIRE(::getsockname(socket, raw, &size) == 0);
    ::close(socket);
    return std::to_string(ntohs(address.sin_port));
}

/// Every kind of call: one that works, bad arguments, no such tool, a target out of reach, one that
/// would change something.
struct MixedCall {
    const char* tool;
    const char* arguments;
};
constexpr MixedCall mixed[] = {
    {"list_targets", "{}"},
    {"find_tools", R"({"intent":"who blocks whom"})"},
    {"list_targets", R"({"no_such_argument":1})"},
    {"no_such_tool", "{}"},
    {"list_runbooks", "{}"},
    {"get_blocking", R"({"target":"gone"})"},
    {"withdraw_plan", R"({"plan_id":"plan_aaaaaaaaaaaaaaaaaaaaaaaaaa","reason":"a test"})"},
};

base::HttpCall http_of(const std::string& port, std::uint64_t id) {
    const auto& call = mixed[id % std::size(mixed)];
    base::HttpCall http;
    http.method = "POST";
    http.url = "http://127.0.0.1:" + port + "/mcp";
    http.headers = {
        {"Content-Type", "application/json"},
        {"Accept", "application/json, text/event-stream"},
        {"MCP-Protocol-Version", "2026-07-28"},
        {"Mcp-Method", "tools/call"},
        {"Mcp-Name", call.tool}};
    http.body = R"({"jsonrpc":"2.0","id":)" + std::to_string(id) +
                R"(,"method":"tools/call","params":{"name":")" + call.tool + R"(","arguments":)" +
                call.arguments +
                R"(,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
                R"("io.modelcontextprotocol/clientInfo":{"name":"crash","version":"1"},)"
                R"("io.modelcontextprotocol/clientCapabilities":{}}}})";
    return http;
}

/// The numbers of the calls, who may go on, and what came back.
class Traffic {
public:
    std::uint64_t next() {
        const std::lock_guard lock(mutex_);
        return ++sent_;
    }
    void answered(std::uint64_t id, const std::string& body) {
        // Withheld by the server: it says so, and claims nothing about the record.
        const bool unrecorded = body.find("audit log cannot be written") != std::string::npos;
        const bool stopped = body.find("\"suspended\"") != std::string::npos;
        const std::lock_guard lock(mutex_);
        if (unrecorded)
            ++refused_;
        else
            answered_.insert(id);
        suspended_ += stopped ? 1 : 0;
        ++replies_;
        changed_.notify_all();
    }
    void gave_up() {
        const std::lock_guard lock(mutex_);
        ++lost_;
        changed_.notify_all();
    }
    std::uint64_t refused() {
        const std::lock_guard lock(mutex_);
        return refused_;
    }
    template <class Condition>
    bool wait(const Condition& condition) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, patience, [&] { return condition(*this); });
    }

    // Read within wait(), or when no client runs.
    std::uint64_t sent_ = 0;
    std::uint64_t replies_ = 0;
    std::uint64_t refused_ = 0;
    std::uint64_t suspended_ = 0; // such a call tells nothing of the log
    std::uint64_t lost_ = 0;
    std::set<std::uint64_t> answered_;

private:
    std::mutex mutex_;
    std::condition_variable changed_;
};

/// The supervisor counts as it always does, but lets these clients fail and repeat themselves for
/// ever: calls of who is suspended are neither made nor, past some a minute, recorded.
constexpr const char* configuration = R"(supervisor:
  failing_calls: 1000000000000
  identical_calls: 1000000000000
  calls: 1000000000000
  result_bytes: 1000000000000
  database_time: 100000h
)";

class Server {
public:
    Server(const std::string& state, const std::string& work)
        : state_(state),
          port_file_(work + "/port"),
          log_(work + "/log"),
          configuration_(work + "/server.yaml") {
        REQUIRE(base::write_file_atomically(configuration_, configuration).ok());
    }

    /// False when it ends instead of taking calls, as it may on a full disk.
    bool start() {
        ::unlink(port_file_.c_str());
        base::Command command;
        command.arguments = {
            INTERLOCK_SERVER,
            "--config=" + configuration_,
            "--listen=127.0.0.1:0",
            "--port-file=" + port_file_,
            "--state=" + state_,
            "--target=gone=host=127.0.0.1 dbname=x user=x port=" + target_port_};
        command.stderr_path = log_;
        auto started = base::Child::start(command);
        REQUIRE(started.ok());
        child_ = std::make_unique<base::Child>(std::move(started).value());
        base::SystemClock clock;
        const auto deadline = clock.ticks() + patience;
        while (clock.ticks() < deadline) {
            const auto port = base::read_file(port_file_, 16);
            if (port.ok()) {
                port_ = port->substr(0, port->find('\n'));
                return true;
            }
            if (child_->poll())
                return false;
            std::this_thread::yield();
        }
        FAIL("the server does not start");
        return false;
    }
    void kill() {
        child_->signal(SIGKILL);
        REQUIRE(child_->wait(patience).ok());
    }
    bool stop() { return child_->stop(patience) == 0; }
    const std::string& port() const { return port_; }

private:
    const std::string state_;
    const std::string port_file_;
    const std::string log_;
    const std::string configuration_;
    const std::string target_port_ = closed_port();
    std::string port_;
    std::unique_ptr<base::Child> child_;
};

/// Clients that call one after the other until they are told to stop.
std::vector<std::jthread> clients_of(const std::string& port, Traffic& traffic) {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < clients; ++i) {
        threads.emplace_back([port, &traffic](const std::stop_token& stop) {
            while (!stop.stop_requested()) {
                const auto id = traffic.next();
                const auto response = base::http_call(http_of(port, id));
                if (response.ok())
                    traffic.answered(id, response.value().body);
                else // killed, or too busy to answer in time: the next call is another
                    traffic.gave_up();
            }
        });
    }
    return threads;
}

struct Found {
    std::uint64_t begins = 0;
    std::uint64_t ends = 0;
    std::uint64_t unfinished = 0;
};

/// Reads the log and holds it against what clients saw.
Found check_log(const std::string& state, const Traffic& traffic) {
    test::ManualClock clock;
    const auto store =
        db::open_sqlite_store(base::StateDirectory{state}.queue(), db::StoreMode::read_only, clock);
    REQUIRE(store.ok());
    const auto verified = telemetry::verify_audit(**store, {});
    REQUIRE(verified.ok());
    CHECK(verified->problems.empty());

    Found found;
    std::map<std::string, std::uint64_t> open; // call -> request
    std::set<std::string> ended;
    std::set<std::uint64_t> begun_requests;
    std::set<std::uint64_t> whole_requests;
    std::uint64_t twice = 0;
    std::uint64_t without_begin = 0;
    telemetry::AuditScan everything;
    everything.payloads = true;
    const auto scanned = telemetry::scan_audit(
        **store,
        everything,
        [&](telemetry::ScannedRecord& record) -> base::Result<telemetry::Scan> {
            const auto header = telemetry::read_leaf_header(record.header);
            const auto payload = base::parse_json(record.payload.value_or(""));
            if (!header || !payload || !header->type.starts_with("tool."))
                return telemetry::Scan::go_on;
            const auto call = base::string_member(*payload, "call").value_or("");
            if (header->type == "tool.begin") {
                ++found.begins;
                const auto* id = base::member(*payload, "request_id");
                const auto text = id == nullptr     ? std::string("0")
                                  : id->is_string() ? id->get<std::string>()
                                                    : id->dump();
                const auto request = std::stoull(text);
                twice += begun_requests.insert(request).second && !ended.contains(call) ? 0 : 1;
                twice += open.emplace(call, request).second ? 0 : 1;
                return telemetry::Scan::go_on;
            }
            ++found.ends;
            const auto begun = open.find(call);
            if (begun == open.end()) {
                ++(ended.contains(call) ? twice : without_begin);
                return telemetry::Scan::go_on;
            }
            whole_requests.insert(begun->second);
            ended.insert(call);
            open.erase(begun);
            return telemetry::Scan::go_on;
        }
    );
    REQUIRE(scanned.ok());
    found.unfinished = open.size();
    CHECK(traffic.suspended_ == 0);
    CHECK(twice == 0);
    CHECK(without_begin == 0);
    std::uint64_t answered_unrecorded = 0;
    for (const auto id : traffic.answered_)
        answered_unrecorded += whole_requests.contains(id) ? 0 : 1;
    CHECK(answered_unrecorded == 0);
    return found;
}

void tell(const char* what, const Traffic& traffic, const Found& found, std::uint64_t kills) {
    WARN(
        what << ": " << traffic.replies_ << " replies, " << kills << " kills -9, "
             << traffic.answered_.size() << " answered, " << traffic.refused_
             << " refused for want of a record, " << found.begins << " begins, " << found.ends
             << " ends, " << found.unfinished
             << " begun and not ended, 0 twice, 0 ends without a begin, 0 answered and not recorded"
    );
}

/// A file system of its own; empty when this user may not mount one.
class OwnDisk {
public:
    OwnDisk(std::string path, const char* size) : path_(std::move(path)) {
        ::mkdir(path_.c_str(), 0700);
        mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, size) == 0;
    }
    OwnDisk(const OwnDisk&) = delete;
    OwnDisk& operator=(const OwnDisk&) = delete;
    ~OwnDisk() {
        if (mounted_)
            ::umount2(path_.c_str(), MNT_DETACH);
    }
    bool mounted() const { return mounted_; }
    bool grow() const {
        return ::mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT, "size=200m") == 0;
    }
    /// Nothing more fits, until it is emptied.
    void fill() const {
        std::ofstream ballast(path_ + "/ballast", std::ios::binary);
        const std::string block(std::size_t{1} << 20, 'x');
        while (ballast.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
        }
    }
    void empty() const { ::unlink((path_ + "/ballast").c_str()); }

private:
    std::string path_;
    bool mounted_ = false;
};

/// Lives of a server, each ended by kill -9; on a disk of its own every tenth ends with a full one.
void kill_again_and_again(std::uint64_t calls, std::uint64_t between_kills_max, bool on_disk) {
    constexpr std::uint64_t full_every = 10;
    constexpr std::uint64_t refusals = 50;
    const test::TemporaryDirectory directory;
    std::unique_ptr<OwnDisk> disk;
    if (on_disk)
        disk = std::make_unique<OwnDisk>(directory.file("disk"), "size=2g");
    if (disk && !disk->mounted()) {
        WARN("without a full disk: needs the right to mount a file system");
        disk.reset();
    }
    const auto state = directory.file(disk ? "disk/state" : "state");
    Server server(state, directory.path());
    Traffic traffic;
    std::mt19937 random(4'711);
    std::uint64_t kills = 0;
    while (traffic.replies_ < calls) {
        REQUIRE(server.start());
        const auto until =
            traffic.replies_ +
            std::uniform_int_distribution<std::uint64_t>(0, between_kills_max)(random);
        auto running = clients_of(server.port(), traffic);
        REQUIRE(traffic.wait([&](const Traffic& now) { return now.replies_ >= until; }));
        if (disk && kills % full_every == full_every - 1) {
            disk->fill();
            REQUIRE(traffic.wait([before = traffic.refused()](const Traffic& now) {
                return now.refused_ >= before + refusals;
            }));
        }
        server.kill(); // whatever it is doing for the others
        running.clear();
        if (disk)
            disk->empty();
        ++kills;
    }
    REQUIRE(server.start()); // it still takes the log for its own
    CHECK(server.stop());
    const auto found = check_log(state, traffic);
    CHECK(found.ends >= traffic.answered_.size());
    CHECK(found.unfinished <= traffic.refused_ + kills * clients);
    CHECK(kills >= 3);
    CHECK((disk || traffic.refused_ == 0));
    tell(disk ? "killed, and the disk full at every tenth" : "killed", traffic, found, kills);
}

TEST_CASE("a server that is killed again and again leaves a log that is right", "[live]") {
    kill_again_and_again(2'000, 400, /*on_disk=*/false);
}

TEST_CASE("a hundred thousand calls under kill -9 and a full disk", "[live][hundred-thousand]") {
    if (std::getenv("INTERLOCK_MARKS") != nullptr)
        kill_again_and_again(100'000, 1'000, /*on_disk=*/true);
}

TEST_CASE("a full disk stops calls, and leaves a log that is right", "[live]") {
    const test::TemporaryDirectory directory;
    const OwnDisk disk(directory.file("disk"), "size=3m");
    if (!disk.mounted()) {
        WARN("skipped: needs the right to mount a small file system");
        return;
    }
    const auto state = directory.file("disk/state");
    Server server(state, directory.path());
    Traffic traffic;
    std::uint64_t kills = 0;
    const auto run_until = [&](const auto& condition, bool must_start) {
        const bool started = server.start();
        CHECK((started || !must_start));
        if (!started)
            return;
        auto running = clients_of(server.port(), traffic);
        CHECK(traffic.wait(condition));
        server.kill();
        running.clear();
        ++kills;
    };
    run_until([](const Traffic& now) { return now.refused_ >= 200; }, true);
    for (int i = 0; i < 3; ++i) { // killed while the disk is full
        const auto before = traffic.replies_;
        run_until([&](const Traffic& now) { return now.replies_ >= before + 50; }, false);
    }
    REQUIRE(disk.grow());
    const auto answered = traffic.answered_.size();
    run_until([&](const Traffic& now) { return now.answered_.size() >= answered + 200; }, true);
    REQUIRE(server.start());
    CHECK(server.stop());
    const auto found = check_log(state, traffic);
    CHECK(found.unfinished <= traffic.refused_ + kills * clients);
    tell("full disk", traffic, found, kills);
}

} // namespace
} // namespace interlock
