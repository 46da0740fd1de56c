// The other three programs, started as they are installed: beside this one.
#pragma once

#include "base/process.hpp"
#include "base/result.hpp"
#include "cli/demo/cluster.hpp"

#include <memory>
#include <string>

namespace interlock::cli {

/// The demo approver: an SSH key made for this run, and the files that say it counts.
struct DemoApprover {
    std::string principal = "demo-approver";
    std::string key;
    std::string allowed_signers;
};
base::Result<DemoApprover> make_demo_approver(const std::string& directory);

/// Server, executor and desk over one state directory. Ends them when destroyed.
class Programs {
public:
    static base::Result<std::unique_ptr<Programs>>
    start(const Cluster& cluster, const std::string& directory, const DemoApprover& approver);

    const std::string& state_directory() const { return state_directory_; }
    std::string mcp_url() const { return "http://127.0.0.1:" + server_port_ + "/mcp"; }
    std::string desk_url() const { return "http://127.0.0.1:" + desk_port_ + "/"; }
    std::string desk_token_path() const { return state_directory_ + "/desk.token"; }
    std::string server_path() const;

private:
    Programs() = default;
    base::Status start_one(const std::string& program, std::vector<std::string> arguments);

    std::string state_directory_;
    std::string log_directory_;
    std::string server_port_;
    std::string desk_port_;
    std::vector<base::Child> children_;
};

} // namespace interlock::cli
