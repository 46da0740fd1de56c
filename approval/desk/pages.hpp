// The desk's pages: plain HTML, no scripts. Every byte that is not ours goes through one function
// that makes it harmless (see text()).
#pragma once

#include "approval/desk/brake_view.hpp"
#include "approval/desk/plan_view.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace interlock::desk {

/// `not_shown`: how many plans of the queue are left out. `brakes`: how many are in force.
std::string
queue_page(const std::vector<PlanView>& plans, std::size_t not_shown = 0, std::size_t brakes = 0);
std::string brakes_page(const std::vector<BrakeView>& brakes);
std::string plan_page(const PlanView& plan);
std::string error_page(const base::Error& error);
extern const std::string_view style_sheet;

} // namespace interlock::desk
