// One read of a target on behalf of a call: borrow a connection, set the lane (role, name,
// time-outs), run the queries, say where and how fresh the answer is.
#pragma once

#include "base/db/reader_connection.hpp"
#include "tools/targets.hpp"
#include "tools/tool.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::tools {

struct LaneRequest {
    std::string target; // resolved name
    std::string_view tool;
    Lane lane = Lane::ordinary;
    db::Looks looks = db::Looks::at_server; // in a target of several servers: the primary
    std::chrono::milliseconds statement_timeout = base::limits::statement_timeout;
};

struct LaneRead {
    db::ReadResults results; // one for each query, in order
    Source source;
    db::ServerFacts facts;
};

/// The statements for the server that is there: versions differ.
using QueriesFor = std::function<std::vector<db::Query>(const db::ServerFacts&)>;

/// An Error means nothing could be read. A connection that had died while idle is replaced once.
base::Result<LaneRead> read_lane(
    Context& context, const Call& call, const LaneRequest& request, const QueriesFor& queries_for
);
/// The same statements for every server.
base::Result<LaneRead> read_lane(
    Context& context, const Call& call, const LaneRequest& request, std::vector<db::Query> queries
);

/// application_name of a call's reads: interlock:<tool>:<subject>:<end of the call id>, so that a
/// line of the target's log leads to the call's span and audit records. A subject that is too long
/// is cut: the call id finds it, whole.
std::string
lane_name(std::string_view tool, const std::string& subject, const std::string& call_id);

/// "15.18" of "15.18 (Debian 15.18-0+deb12u1)": the packager's name helps nobody here.
std::string short_version(const std::string& version);

/// not_examined entry for a statement that failed.
NotExamined failed_check(std::string what, const base::Error& error, std::string would_tell);

} // namespace interlock::tools
