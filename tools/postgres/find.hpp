// How the tools that judge many things at once write a finding down.
#pragma once

#include "tools/evidence.hpp"

#include <string>
#include <utility>

namespace interlock::tools {

inline void find(
    Evidence& evidence,
    Severity severity,
    std::string object,
    std::string value,
    std::string threshold,
    std::string meaning
) {
    evidence.findings.push_back(
        {severity, std::move(object), std::move(value), std::move(threshold), std::move(meaning)}
    );
}

} // namespace interlock::tools
