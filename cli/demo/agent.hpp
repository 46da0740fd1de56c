// The demo's agent: an MCP client over HTTP, speaking the current revision, that diagnoses and
// proposes. It holds no key and no target credential; it can do nothing but call tools.
#pragma once

#include "base/result.hpp"

#include <string>
#include <vector>

namespace interlock::cli {

/// One cause as the server named it, with what is needed to propose a plan for it.
struct DiagnosedCause {
    std::string id;
    double confidence = 0;
    std::vector<std::string> because;
    std::vector<std::string> evidence;
    std::string runbook;    // "" when none applies
    std::string parameters; // JSON object text
};

struct Diagnosis {
    std::string verdict;
    std::vector<DiagnosedCause> causes;
};

struct ProposedPlan {
    std::string plan_id;
    std::string digest;
    std::string state;
};

class Agent {
public:
    /// `url` is the server's MCP endpoint, http://127.0.0.1:PORT/mcp.
    explicit Agent(std::string url);
    base::Result<Diagnosis> diagnose(const std::string& target);
    base::Result<ProposedPlan> propose(const std::string& target, const DiagnosedCause& cause);

private:
    /// structuredContent of a tool call; a tool error becomes an Error with its text.
    base::Result<std::string> call(const std::string& tool, const std::string& arguments);

    std::string url_;
    int next_id_ = 1;
};

} // namespace interlock::cli
