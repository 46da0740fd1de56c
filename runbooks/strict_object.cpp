#include "runbooks/strict_object.hpp"

#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::runbooks {
namespace {

const base::Json& null_value() {
    static const base::Json value;
    return value;
}

/// Also false for unsigned numbers beyond a long long.
bool fits(const base::Json& value) {
    constexpr auto most = static_cast<unsigned long long>(std::numeric_limits<long long>::max());
    return value.is_number_unsigned() ? value.get<unsigned long long>() <= most
                                      : value.is_number_integer();
}

} // namespace

StrictObject::StrictObject(const base::Json& value, std::string path, std::string& problem)
    : value_(&value), path_(std::move(path)), problem_(&problem) {
    if (!value.is_object() && problem.empty()) {
        problem = (path_.empty() ? std::string("the document") : path_) + " is not an object";
    }
}

std::string StrictObject::text(const char* key) {
    const auto& value = member(key);
    if (value.is_string()) {
        return value.get<std::string>();
    }
    fail(key, "text");
    return {};
}

long long StrictObject::integer(const char* key, long long low, long long high) {
    const auto& value = member(key);
    if (fits(value)) {
        const auto number = value.get<long long>();
        if (number >= low && number <= high) {
            return number;
        }
    }
    const auto expected = "an integer from " + std::to_string(low) + " to " + std::to_string(high);
    fail(key, expected.c_str());
    return low;
}

bool StrictObject::boolean(const char* key) {
    const auto& value = member(key);
    if (value.is_boolean()) {
        return value.get<bool>();
    }
    fail(key, "true or false");
    return false;
}

std::vector<std::string> StrictObject::texts(const char* key) {
    std::vector<std::string> out;
    const auto& value = member(key);
    if (!value.is_array()) {
        fail(key, "a list of texts");
        return out;
    }
    for (const auto& entry : value) {
        if (!entry.is_string()) {
            fail(key, "a list of texts");
            return {};
        }
        out.push_back(entry.get<std::string>());
    }
    return out;
}

StrictObject StrictObject::object(const char* key) {
    return {member(key), path_ + "/" + key, *problem_};
}

std::optional<StrictObject> StrictObject::object_or_null(const char* key) {
    const auto& value = member(key);
    if (value.is_null()) {
        return std::nullopt;
    }
    return StrictObject{value, path_ + "/" + key, *problem_};
}

std::vector<StrictObject> StrictObject::objects(const char* key) {
    std::vector<StrictObject> out;
    const auto& value = member(key);
    if (!value.is_array()) {
        fail(key, "a list of objects");
        return out;
    }
    for (const auto& entry : value) {
        out.emplace_back(entry, path_ + "/" + key + "/" + std::to_string(out.size()), *problem_);
    }
    return out;
}

void StrictObject::fail(const char* key, const char* expected) {
    if (problem_->empty()) {
        *problem_ = path_ + "/" + key + " is not " + expected;
    }
}

const base::Json& StrictObject::member(const char* key) {
    if (const auto* found = base::member(*value_, key)) {
        return *found;
    }
    if (problem_->empty()) {
        *problem_ = path_ + "/" + key + " is missing";
    }
    return null_value();
}

std::string canonical_json(const base::Json& value) {
    return value.dump(-1, ' ', /*ensure_ascii=*/true, base::Json::error_handler_t::replace);
}

} // namespace interlock::runbooks
