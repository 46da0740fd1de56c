#include "base/result.hpp"

namespace interlock::base {

const char* name(Errc code) {
    switch (code) {
    case Errc::invalid_input:
        return "invalid_input";
    case Errc::invalid_arguments:
        return "invalid_arguments";
    case Errc::not_found:
        return "not_found";
    case Errc::permission_denied:
        return "permission_denied";
    case Errc::refused:
        return "refused";
    case Errc::refused_by_guard:
        return "refused_by_guard";
    case Errc::invalid_signature:
        return "invalid_signature";
    case Errc::expired:
        return "expired";
    case Errc::conflict:
        return "conflict";
    case Errc::invalid_transition:
        return "invalid_transition";
    case Errc::changed:
        return "changed";
    case Errc::timeout:
        return "timeout";
    case Errc::cancelled:
        return "cancelled";
    case Errc::target_unreachable:
        return "target_unreachable";
    case Errc::target_busy:
        return "target_busy";
    case Errc::not_supported:
        return "not_supported";
    case Errc::suspended:
        return "suspended";
    case Errc::budget_exhausted:
        return "budget_exhausted";
    case Errc::limit_exceeded:
        return "limit_exceeded";
    case Errc::store_read_only:
        return "store_read_only";
    case Errc::store_full:
        return "store_full";
    case Errc::store_busy:
        return "store_busy";
    case Errc::store_unreachable:
        return "store_unreachable";
    case Errc::corrupt:
        return "corrupt";
    case Errc::io:
        return "io";
    case Errc::internal:
        return "internal";
    }
    return "internal";
}

std::string to_text(const Error& error) {
    return error.remedy.empty() ? error.what : error.what + " " + error.remedy;
}

} // namespace interlock::base
