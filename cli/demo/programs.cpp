#include "cli/demo/programs.hpp"

#include "approval/decision.hpp"
#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/http_client.hpp"
#include "base/signals.hpp"
#include "base/state_directory.hpp"
#include "base/text.hpp"
#include "cli/demo/incident.hpp"

#include <filesystem>

namespace interlock::cli {

using base::Errc;
using base::Error;
using base::Result;
using base::Status;

namespace {

constexpr std::chrono::seconds start_deadline{20};
constexpr std::chrono::milliseconds poll_interval{50};

/// The directory this program was started from; the others stand beside it.
std::string program_directory() {
    std::error_code problem;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", problem);
    return problem ? std::string(".") : self.parent_path().string();
}

/// The tail of a program's log, for the error that says it did not start.
std::string last_lines(const std::string& path) {
    const auto log = base::read_file(path, std::size_t{1} << 20);
    if (!log) {
        return "";
    }
    return log->size() > 2000 ? log->substr(log->size() - 2000) : *log;
}

Result<std::string>
wait_for_port(const std::string& port_file, base::Child& child, const std::string& log) {
    base::SystemClock clock;
    const auto until = clock.ticks() + start_deadline;
    while (clock.ticks() < until && !base::stop_requested()) {
        if (auto port = base::read_file(port_file, 16); port.ok() && !base::trim(*port).empty()) {
            return std::string(base::trim(*port));
        }
        if (child.poll()) {
            break;
        }
        base::wait_for_stop(poll_interval);
    }
    return Error{Errc::io, "A program of the demo did not start: " + last_lines(log), ""};
}

} // namespace

Result<DemoApprover> make_demo_approver(const std::string& directory) {
    DemoApprover approver;
    approver.key = directory + "/demo_approver_key";
    approver.allowed_signers = directory + "/allowed_signers";
    const base::Command command{
        .arguments =
            {"ssh-keygen",
             "-q",
             "-t",
             "ed25519",
             "-N",
             "",
             "-C",
             approver.principal,
             "-f",
             approver.key},
        .environment = {},
        .directory = "",
        .user = "",
        .stdout_path = "",
        .stderr_path = "",
    };
    INTERLOCK_TRY(const auto output, base::run(command));
    if (output.exit_code != 0) {
        return Error{Errc::io, "ssh-keygen made no key: " + output.err, "Install openssh-client."};
    }
    INTERLOCK_TRY(const std::string public_key, base::read_file(approver.key + ".pub", 4096));
    const std::string line = approver.principal + " namespaces=\"" +
                             std::string(approval::ssh_namespace) + "\" " + public_key;
    INTERLOCK_CHECK(base::write_file_atomically(approver.allowed_signers, line));
    return approver;
}

std::string Programs::server_path() const {
    return program_directory() + "/interlock-server";
}

Status Programs::start_one(const std::string& program, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), program_directory() + "/" + program);
    const base::Command command{
        .arguments = std::move(arguments),
        .environment = {},
        .directory = "",
        .user = "",
        .stdout_path = "/dev/null",
        .stderr_path = log_directory_ + "/" + program + ".log",
    };
    INTERLOCK_TRY(auto child, base::Child::start(command));
    children_.push_back(std::move(child));
    return base::done;
}

Result<std::unique_ptr<Programs>> Programs::start(
    const Cluster& cluster, const std::string& directory, const DemoApprover& approver
) {
    std::unique_ptr<Programs> programs(new Programs);
    programs->state_directory_ = directory + "/state";
    programs->log_directory_ = directory;
    INTERLOCK_CHECK(base::make_private_directory(programs->state_directory_));
    const std::string state = "--state=" + programs->state_directory_;
    const std::string server_port_file = directory + "/server.port";
    const std::string desk_port_file = directory + "/desk.port";
    const auto target = [&](const char* role) {
        return std::string("--target=") + demo_database + "=" +
               cluster.conninfo(role, demo_database);
    };
    INTERLOCK_CHECK(programs->start_one(
        "interlock-server",
        {"--listen=127.0.0.1:0", "--port-file=" + server_port_file, state, target("interlock_diag")}
    ));
    INTERLOCK_TRY(
        programs->server_port_,
        wait_for_port(
            server_port_file, programs->children_.back(), directory + "/interlock-server.log"
        )
    );
    INTERLOCK_CHECK(programs->start_one(
        "interlock-desk",
        {"--listen=127.0.0.1:0",
         "--port-file=" + desk_port_file,
         state,
         "--token-file=" + programs->desk_token_path()}
    ));
    INTERLOCK_TRY(
        programs->desk_port_,
        wait_for_port(desk_port_file, programs->children_.back(), directory + "/interlock-desk.log")
    );
    INTERLOCK_CHECK(programs->start_one(
        "interlock-executor",
        {state, target("interlock_exec"), "--allowed-signers=" + approver.allowed_signers}
    ));
    return programs;
}

} // namespace interlock::cli
