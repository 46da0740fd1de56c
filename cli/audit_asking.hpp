// The call that asked for a plan: on whose authority it was proposed. Its records stand in the log
// beside the plan's own and are found by the trace that both name.
#pragma once

#include "base/json.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace interlock::cli {

/// A call as its first record tells it, and its last one when there is one.
struct AskingCall {
    std::uint64_t begin = 0; // its record
    std::optional<std::uint64_t> end;
    std::string at;
    std::string call;
    std::string tool;
    std::string subject;
    std::string issuer;
    std::string proof; // how the subject was proven
    std::string client;
    std::string database_role; // "" = the login's own
    std::string claims;        // JSON
    std::string transport;
    std::string trace;    // traceparent
    std::string incident; // that it named; "" = none
    std::string outcome;  // told by its end
};
/// A plan's submission, as its first record tells it.
struct Submitted {
    std::uint64_t index = 0;
    std::string requester;
    std::string trace_parent;
};
/// The calls of a log, or of a part of it.
class AskingCalls {
public:
    /// A record of type tool.begin or tool.end, in the order of the log. A payload that is none of
    /// a call is passed over: it may be erased.
    void take(
        std::uint64_t index,
        const std::string& time,
        const std::string& type,
        const std::string& actor,
        const base::Json& payload
    );
    /// The one that made the submission: by the same caller in the same trace, begun before and not
    /// ended by then; it names the very span, or was the last to begin. nullptr: none is here.
    const AskingCall* that_asked(const Submitted& submitted) const;
    const std::vector<AskingCall>& all() const { return calls_; }

private:
    std::vector<AskingCall> calls_;
    std::unordered_map<std::string, std::size_t> by_id_;
    std::unordered_multimap<std::string, std::size_t> by_trace_;
};

} // namespace interlock::cli
