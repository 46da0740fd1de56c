#include "cli/demo/cluster.hpp"

#include "base/clock.hpp"
#include "base/digest.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace interlock::cli {
namespace {

using base::Errc;
using base::Error;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds initialise_deadline{60}; // about one second on a quiet machine
constexpr seconds start_deadline{60};
constexpr seconds stop_deadline{15};
constexpr milliseconds poll_interval{10};
constexpr std::size_t log_tail_bytes = 2'000;

bool is_program(const std::string& path) {
    return ::access(path.c_str(), X_OK) == 0;
}

/// The client package alone has pg_config too; only a directory with the server counts.
bool has_server(const std::string& directory) {
    return is_program(directory + "/initdb") && is_program(directory + "/postgres");
}

/// Directories such as /usr/lib/postgresql/15/bin, highest version first.
std::vector<std::string> versioned_directories(const std::string& root, const std::string& prefix) {
    std::vector<std::pair<int, std::string>> found;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator{root, ignored}) {
        const auto name = entry.path().filename().string();
        int version = 0;
        if (name.starts_with(prefix)) {
            std::from_chars(name.data() + prefix.size(), name.data() + name.size(), version);
        }
        if (version > 0) {
            found.emplace_back(version, entry.path().string() + "/bin");
        }
    }
    std::sort(found.rbegin(), found.rend());
    std::vector<std::string> directories;
    directories.reserve(found.size());
    for (auto& [version, directory] : found) {
        directories.push_back(std::move(directory));
    }
    return directories;
}

/// A directive of postgresql.conf.
std::string directive(const std::string& name, std::string_view value) {
    std::string quoted;
    for (const char c : value) {
        quoted.append(c == '\'' ? 2U : 1U, c);
    }
    return name + " = '" + quoted + "'\n";
}

/// A value of a connection string, in quotes when it needs them.
std::string connection_value(const std::string& value) {
    if (!value.empty() && value.find_first_of(" '\\\t") == std::string::npos) {
        return value;
    }
    std::string quoted = "'";
    for (const char c : value) {
        if (c == '\'' || c == '\\') {
            quoted += '\\';
        }
        quoted += c;
    }
    return quoted + "'";
}

base::Result<int> free_port() {
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    const bool found = probe >= 0 && ::bind(probe, generic, size) == 0 &&
                       ::getsockname(probe, generic, &size) == 0;
    ::close(probe);
    if (!found) {
        return Error{Errc::io, "No free port could be found on 127.0.0.1.", ""};
    }
    return static_cast<int>(ntohs(address.sin_port));
}

std::string log_tail(const std::string& path) {
    constexpr std::size_t log_bytes_max = std::size_t{1} << 20;
    const auto log = base::read_file(path, log_bytes_max);
    if (!log) {
        return "";
    }
    const auto from = log->size() - std::min(log->size(), log_tail_bytes);
    return base::sanitize(log->substr(from));
}

} // namespace

base::Result<std::string> find_postgres_programs() {
    std::vector<std::string> candidates;
    base::Command ask;
    ask.arguments = {"pg_config", "--bindir"};
    const auto asked = base::run(ask);
    if (asked && asked->exit_code == 0) {
        candidates.emplace_back(base::trim(asked->out));
    }
    for (const auto& [root, prefix] : std::to_array<std::pair<const char*, const char*>>(
             {{"/usr/lib/postgresql", ""}, {"/usr", "pgsql-"}, {"/opt/homebrew/opt", "postgresql@"}}
         )) {
        for (auto& directory : versioned_directories(root, prefix)) {
            candidates.push_back(std::move(directory));
        }
    }
    const char* path = std::getenv("PATH");
    std::string_view rest = path != nullptr ? path : "";
    while (!rest.empty()) {
        const auto end = std::min(rest.find(':'), rest.size());
        candidates.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    for (const auto& candidate : candidates) {
        if (has_server(candidate)) {
            return candidate;
        }
    }
    return Error{
        Errc::not_found,
        "PostgreSQL's server programs (initdb, postgres) are not on this machine.",
        "Install PostgreSQL 14 or newer, for example with: apt-get install postgresql."};
}

base::Result<std::string> cluster_user() {
    if (::geteuid() != 0) {
        return std::string{};
    }
    for (const auto* name : {"postgres", "nobody"}) {
        const auto* account = ::getpwnam(name);
        if (account != nullptr && account->pw_uid != 0) {
            return std::string{name};
        }
    }
    return Error{
        Errc::not_found,
        "PostgreSQL refuses to run as root, and there is no user postgres or nobody.",
        "Run this as an ordinary user."};
}

base::Result<std::unique_ptr<Cluster>> Cluster::start(const ClusterOptions& options) {
    std::unique_ptr<Cluster> cluster{new Cluster};
    cluster->programs_ = options.programs;
    if (cluster->programs_.empty()) {
        INTERLOCK_TRY(cluster->programs_, find_postgres_programs());
    }
    INTERLOCK_TRY(cluster->user_, cluster_user());
    INTERLOCK_CHECK(cluster->make_directory(options));
    INTERLOCK_CHECK(cluster->choose_port(options.tcp));
    if (!options.existing_data) {
        INTERLOCK_CHECK(cluster->initialise());
    }
    INTERLOCK_CHECK(cluster->configure(options));
    INTERLOCK_CHECK(cluster->launch());
    return cluster;
}

Cluster::~Cluster() {
    end(SIGQUIT); // nothing is kept, so nothing need be written out
    if (!directory_.empty()) {
        (void)base::remove_recursively(directory_);
    }
}

base::Status Cluster::make_directory(const ClusterOptions& options) {
    if (options.directory.empty()) {
        INTERLOCK_TRY(directory_, base::make_temporary_directory("interlock-pg"));
    } else {
        INTERLOCK_CHECK(base::make_private_directory(options.directory));
        directory_ = options.directory;
    }
    if (directory_.size() + std::strlen("/.s.PGSQL.65535") >= sizeof(sockaddr_un::sun_path)) {
        return Error{
            Errc::invalid_input,
            "The path " + directory_ + " is too long for a socket in it.",
            "Set TMPDIR to a shorter path."};
    }
    if (!user_.empty()) {
        const auto* account = ::getpwnam(user_.c_str());
        if (account == nullptr ||
            ::chown(directory_.c_str(), account->pw_uid, account->pw_gid) != 0) {
            return Error{
                Errc::io, "The directory " + directory_ + " cannot be given to " + user_ + ".", ""};
        }
    }
    return base::done;
}

base::Status Cluster::choose_port(bool tcp) {
    if (tcp) {
        INTERLOCK_TRY(port_, free_port());
    }
    return base::done;
}

/// A file that the server may read, and nobody else.
base::Status Cluster::write_file(const std::string& path, const std::string& content) const {
    INTERLOCK_CHECK(base::write_file_atomically(path, content, S_IRUSR | S_IWUSR));
    if (user_.empty()) {
        return base::done;
    }
    const auto* account = ::getpwnam(user_.c_str());
    if (account == nullptr || ::chown(path.c_str(), account->pw_uid, account->pw_gid) != 0) {
        return Error{Errc::io, "The file " + path + " cannot be given to " + user_ + ".", ""};
    }
    return base::done;
}

base::Status Cluster::initialise() {
    base::SystemRandom random;
    password_ = base::hex(random.bytes(16));
    const auto password_file = directory_ + "/password";
    INTERLOCK_CHECK(write_file(password_file, password_ + "\n"));
    base::Command command;
    command.arguments = {
        program("initdb"),
        "--pgdata=" + data_directory(),
        "--username=postgres",
        "--pwfile=" + password_file,
        "--auth-local=trust",
        "--auth-host=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
        "--no-instructions"};
    command.directory = directory_;
    command.user = user_;
    INTERLOCK_TRY(const auto output, base::run(command, {}, initialise_deadline));
    (void)base::remove_recursively(password_file);
    if (output.exit_code != 0) {
        return Error{
            Errc::io, "initdb failed: " + base::sanitize(output.err) + ".", "See what it says."};
    }
    return base::done;
}

base::Status Cluster::configure(const ClusterOptions& options) {
    const auto path = data_directory() + "/postgresql.conf";
    constexpr std::size_t configuration_bytes_max = std::size_t{1} << 20;
    INTERLOCK_TRY(auto text, base::read_file(path, configuration_bytes_max));
    text += "\n";
    text += directive("unix_socket_directories", directory_);
    text += directive("listen_addresses", options.tcp ? "127.0.0.1" : "");
    text += directive("port", std::to_string(port_));
    text += directive("max_connections", "60");
    text += directive("shared_buffers", "32MB");
    text += directive("fsync", "off");
    text += directive("full_page_writes", "off");
    text += directive("logging_collector", "off");
    text += directive("timezone", "UTC");
    text += directive("log_line_prefix", "%m [%p] %q%u@%d %a ");
    for (const auto& [name, value] : options.settings) {
        text += directive(name, value);
    }
    INTERLOCK_CHECK(write_file(path, text));
    return write_file(
        data_directory() + "/pg_hba.conf",
        "local all all trust\n"
        "local replication all trust\n"
        "host all all 127.0.0.1/32 scram-sha-256\n"
    );
}

base::Status Cluster::launch() {
    base::Command command;
    command.arguments = {program("postgres"), "-D", data_directory()};
    command.directory = directory_;
    command.user = user_;
    command.stdout_path = log_path();
    command.stderr_path = log_path();
    INTERLOCK_TRY(auto child, base::Child::start(command));
    server_.emplace(std::move(child));

    // The eighth line of postmaster.pid is the state: "ready" once connections are accepted.
    constexpr std::size_t pid_file_bytes_max = 4'096;
    base::SystemClock clock;
    const auto deadline = clock.ticks() + start_deadline;
    while (clock.ticks() < deadline && !server_->poll()) {
        const auto state =
            base::read_file(data_directory() + "/postmaster.pid", pid_file_bytes_max);
        if (state && state->starts_with(std::to_string(server_->pid()) + "\n") &&
            state->find("\nready") != std::string::npos) {
            return base::done;
        }
        clock.sleep_for(poll_interval);
    }
    end(SIGQUIT);
    return Error{
        Errc::io, "PostgreSQL did not start: " + log_tail(log_path()), "See its last log lines."};
}

bool Cluster::running() {
    return server_ && !server_->poll();
}

void Cluster::end(int signal) {
    if (!server_) {
        return;
    }
    server_->signal(signal);
    if (!server_->wait(stop_deadline)) {
        server_->signal(SIGQUIT);
        (void)server_->stop();
    }
    server_.reset();
}

void Cluster::stop() {
    end(SIGINT);
}

void Cluster::crash() {
    end(SIGQUIT);
}

base::Status Cluster::start_again() {
    end(SIGINT);
    return launch();
}

std::string Cluster::conninfo(const std::string& user, const std::string& database) const {
    return "host=" + connection_value(directory_) + " port=" + std::to_string(port_) +
           " user=" + connection_value(user) + " dbname=" + connection_value(database);
}

std::string Cluster::tcp_conninfo(const std::string& user, const std::string& database) const {
    return "host=127.0.0.1 port=" + std::to_string(port_) + " user=" + connection_value(user) +
           " dbname=" + connection_value(database);
}

} // namespace interlock::cli
