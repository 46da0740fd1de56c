// In the place of server/audit_calls.cpp: nothing is rendered, hashed, written or waited for.
#include "server/audit_calls.hpp"

namespace interlock::server {
namespace {

class NoTicket final : public telemetry::AuditTicket {
public:
    base::Result<std::uint64_t> wait() override { return std::uint64_t{0}; }
};

Recording nothing() {
    static const auto ticket = std::make_shared<NoTicket>();
    return std::shared_ptr<telemetry::AuditTicket>(ticket);
}

} // namespace

base::Status kept(const Recording&) {
    return base::done;
}

bool under_way(const Recording&) {
    return false;
}

CallAudit::CallAudit(telemetry::AuditWriter& writer) : writer_(writer) {}

Recording CallAudit::begin(const Job&, const std::string&) {
    return nothing();
}

Recording CallAudit::
    end(const Job&, const std::string&, const CallOutcome&, base::Duration, const Recording&) {
    return nothing();
}

} // namespace interlock::server
