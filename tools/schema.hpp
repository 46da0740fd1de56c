// JSON Schema for what tools return: text of schemas built from the same declarations that decode
// and document the rows, and the check of a real result against its own schema.
#pragma once

#include "base/result.hpp"
#include "tools/evidence.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace interlock::tools {

/// The rows of one name that a packet holds.
struct RowsShape {
    std::string_view name;
    const std::vector<Column>* columns; // nullptr: whatever the caller asks for, as text
};

/// Output schema of a tool that returns an evidence packet with these rows, as it is published:
/// what an agent reads of it, the rest only named. Each answer is held against packet_shape, too.
std::string packet_schema(const std::vector<RowsShape>& rows);

/// What all packets have in common, in full. docs/tools.md shows it; tools/list would repeat it
/// with each tool.
std::string packet_shape();

/// Output schema of an object with `properties` (JSON text of a "properties" object), of which
/// `required` are always there, or of an error (error_output): an error is as valid as an answer.
std::string output_schema_of(std::string_view properties, const std::vector<std::string>& required);

/// Properties shared by packets, as JSON text to splice into `properties`: "source",
/// "not_examined", "cut" (see packet_shape).
std::string shared_properties();

/// Whether `document` is valid against `schema` (both JSON text). Compiled schemas are kept, so
/// `schema` must come from code. internal names the first violation.
base::Status check_schema(const std::string& schema, const std::string& document);
/// The same for a tool's Tool::output_schema, which is made and compiled at its first use only; a
/// packet is held against packet_shape, too.
base::Status check_result(std::string (*schema)(), const std::string& document);

} // namespace interlock::tools
