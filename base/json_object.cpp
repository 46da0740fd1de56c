#include "base/json_object.hpp"

#include "base/json_string.hpp"

#include <utility>

namespace interlock::base {

void JsonObject::begin(std::string_view name) {
    out_ += out_.size() == 1 ? "\"" : ",\"";
    out_.append(name).append("\":");
}

JsonObject& JsonObject::text(std::string_view name, std::string_view value) {
    begin(name);
    append_json_string(out_, value);
    return *this;
}

JsonObject& JsonObject::number(std::string_view name, long long value) {
    begin(name);
    out_ += std::to_string(value);
    return *this;
}

JsonObject& JsonObject::json(std::string_view name, std::string_view value) {
    begin(name);
    out_ += value;
    return *this;
}

std::string JsonObject::take() {
    out_ += '}';
    return std::move(out_);
}

} // namespace interlock::base
