// One flat JSON object, written member by member without a tree: for records that every call makes.
#pragma once

#include <string>
#include <string_view>

namespace interlock::base {

/// Names are literals of ours that need no escaping. Members in the order of their names render as
/// render_json (base/json.hpp) would.
class JsonObject {
public:
    JsonObject& text(std::string_view name, std::string_view value);
    JsonObject& number(std::string_view name, long long value);
    /// `value` is JSON text.
    JsonObject& json(std::string_view name, std::string_view value);
    /// The object; nothing is added to it afterwards.
    std::string take();

private:
    void begin(std::string_view name);

    std::string out_ = "{";
};

} // namespace interlock::base
