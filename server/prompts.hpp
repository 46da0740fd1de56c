// Ready-made conversations: how to diagnose an incident, how to review a plan before people decide.
// They name the tools in order; what the caller fills in is quoted as data.
#pragma once

#include "server/diagnostic_offer.hpp"
#include "server/offer.hpp"

#include <string_view>
#include <vector>

namespace interlock::server {

inline constexpr std::string_view diagnose_prompt = "diagnose_incident";
inline constexpr std::string_view review_prompt = "review_plan";

/// Only those whose tools are offered.
std::vector<OfferedPrompt> offered_prompts(const DiagnosticParts& parts);

} // namespace interlock::server
