// `interlock audit report`: what an audit asks of a period, counted in one pass over the log.
#pragma once

#include "base/db/store.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "cli/output.hpp"

#include <string>

namespace interlock::cli {

struct ReportOptions {
    std::string state_directory;
    std::string from; // RFC 3339; "" = from the first record
    std::string to;   // not included; "" = to the last
    bool json = false;
};

/// `from` and `to` in the log's own form of time, which sorts as text.
base::Result<base::Json>
make_audit_report(db::Store& store, const std::string& from, const std::string& to);

Exit report_audit(const ReportOptions& options);

} // namespace interlock::cli
