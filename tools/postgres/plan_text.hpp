// A plan as people paste it: EXPLAIN's text format, with what psql, a log or a mail put around it.
// Read into the shape of FORMAT JSON, so that plan_reader.hpp reads both alike. Whatever stands in
// the text is data: a line that is no part of a plan is passed over, never obeyed.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>

namespace interlock::tools {

/// Without psql's heading, frame, marks of continued lines and count of rows, and without the
/// beginning of a line of a log in front of a plan in JSON.
std::string without_frame(std::string_view pasted);

/// Whether a line of it is a node with estimates or measurements, as no SQL has one.
bool is_plan_text(std::string_view text);

/// EXPLAIN's object: {"Plan": {...}, "Planning Time": ...}. invalid_arguments says why it is none:
/// two plans, indentation lost, neither costs nor measurements.
base::Result<base::Json> read_plan_text(std::string_view text);

} // namespace interlock::tools
