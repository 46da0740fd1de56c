#include "base/decode.hpp"

#include "base/text.hpp"

#include <charconv>
#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

namespace interlock::base {

/// What all decoders of one document share: the first error, and the keys each one asked for.
struct Decoder::Shared {
    struct Mapping {
        const Json* document;
        std::string path;
        std::size_t parent;
        std::set<std::string> asked;
    };
    std::optional<Error> error;
    std::vector<Mapping> mappings;
};

namespace {

const Json& empty_mapping() {
    static const Json empty = Json::object();
    return empty;
}

/// A value as an error message may quote it.
std::string quote(const Json& value) {
    switch (value.type()) {
    case Json::value_t::null:
        return "nothing";
    case Json::value_t::object:
        return "a mapping";
    case Json::value_t::array:
        return "a list";
    case Json::value_t::string:
        return "`" + cut_middle(sanitize(value.get_ref<const std::string&>()), 60) + "`";
    default:
        return "a value that is not text";
    }
}

std::string join(const std::string& path, const std::string& key) {
    return path.empty() ? key : path + "." + key;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
    Number value{};
    const char* end = text.data() + text.size();
    const auto [stopped, problem] = std::from_chars(text.data(), end, value);
    if (problem != std::errc{} || stopped != end) {
        return std::nullopt;
    }
    return value;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    const auto unit_at = text.find_first_not_of("0123456789");
    if (unit_at == 0 || unit_at == std::string_view::npos) {
        return std::nullopt;
    }
    const auto count = parse_number<long long>(text.substr(0, unit_at));
    const std::string_view unit = text.substr(unit_at);
    const long long factor = unit == "ms"  ? 1
                             : unit == "s" ? 1'000
                             : unit == "m" ? 60'000
                             : unit == "h" ? 3'600'000
                             : unit == "d" ? 86'400'000
                                           : 0;
    if (!count || factor == 0 || *count > std::numeric_limits<long long>::max() / factor / 1'000) {
        return std::nullopt;
    }
    return std::chrono::milliseconds{*count * factor};
}

} // namespace

Decoder::Decoder(const Json& document, std::string path)
    : Decoder(document, std::move(path), std::make_shared<Shared>(), 0) {}

Decoder::Decoder(
    const Json& document, std::string path, std::shared_ptr<Shared> shared, std::size_t parent
)
    : document_(&document),
      path_(std::move(path)),
      shared_(std::move(shared)),
      index_(shared_->mappings.size()) {
    if (!document.is_object()) {
        const std::string found = quote(document);
        document_ = &empty_mapping();
        shared_->mappings.push_back({document_, path_, parent, {}});
        report(path_.empty() ? "the document" : path_, "expected a mapping, found " + found);
        return;
    }
    shared_->mappings.push_back({document_, path_, parent, {}});
}

const Json* Decoder::find(const std::string& key) {
    shared_->mappings[index_].asked.insert(key);
    const Json* value = member(*document_, key);
    return value == nullptr || value->is_null() ? nullptr : value;
}

std::string Decoder::at(const std::string& key) const {
    return join(path_, key);
}

void Decoder::report(const std::string& where, const std::string& problem) {
    if (!shared_->error) {
        shared_->error =
            Error{Errc::invalid_input, "`" + where + "`: " + problem + ".", "Correct that key."};
    }
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): callers hand over what they composed
void Decoder::fail(const std::string& key, std::string problem) {
    report(at(key), problem);
}

const std::string* Decoder::scalar(const std::string& key, std::string_view expected) {
    const Json* value = find(key);
    if (value == nullptr) {
        fail(key, "it is required (" + std::string(expected) + "), and it is missing");
        return nullptr;
    }
    if (!value->is_string()) {
        fail(key, "expected " + std::string(expected) + ", found " + quote(*value));
        return nullptr;
    }
    return &value->get_ref<const std::string&>();
}

std::string Decoder::text(const std::string& key) {
    const std::string* value = scalar(key, "text");
    if (value != nullptr && value->empty()) {
        fail(key, "expected text, found an empty one");
    }
    return value == nullptr ? "" : *value;
}

std::string Decoder::text_or(const std::string& key, std::string fallback) {
    if (find(key) == nullptr) {
        return fallback;
    }
    const std::string* value = scalar(key, "text");
    return value == nullptr ? fallback : *value;
}

long long Decoder::integer(const std::string& key, long long low, long long high) {
    const std::string expected =
        "a whole number from " + std::to_string(low) + " to " + std::to_string(high);
    const std::string* value = scalar(key, expected);
    if (value == nullptr) {
        return low;
    }
    const auto number = parse_number<long long>(*value);
    if (!number || *number < low || *number > high) {
        fail(key, "expected " + expected + ", found " + quote(*value));
        return low;
    }
    return *number;
}

long long
Decoder::integer_or(const std::string& key, long long low, long long high, long long fallback) {
    return find(key) == nullptr ? fallback : integer(key, low, high);
}

double Decoder::real(const std::string& key, double low, double high) {
    const std::string expected = "a number from " + Json(low).dump() + " to " + Json(high).dump();
    const std::string* value = scalar(key, expected);
    if (value == nullptr) {
        return low;
    }
    const auto number = parse_number<double>(*value);
    if (!number || !std::isfinite(*number) || *number < low || *number > high) {
        fail(key, "expected " + expected + ", found " + quote(*value));
        return low;
    }
    return *number;
}

bool Decoder::boolean_or(const std::string& key, bool fallback) {
    if (find(key) == nullptr) {
        return fallback;
    }
    const std::string* value = scalar(key, "true or false");
    if (value == nullptr) {
        return fallback;
    }
    if (*value != "true" && *value != "false") {
        fail(key, "expected true or false, found " + quote(*value));
        return fallback;
    }
    return *value == "true";
}

std::string Decoder::choice(const std::string& key, const std::vector<std::string>& choices) {
    std::string expected = "one of";
    for (const auto& choice : choices) {
        expected += (&choice == &choices.front() ? " " : ", ") + choice;
    }
    std::string fallback = choices.empty() ? "" : choices.front();
    const std::string* value = scalar(key, expected);
    if (value == nullptr) {
        return fallback;
    }
    for (const auto& choice : choices) {
        if (choice == *value) {
            return choice;
        }
    }
    fail(key, "expected " + expected + ", found " + quote(*value));
    return fallback;
}

std::chrono::milliseconds
Decoder::duration_or(const std::string& key, std::chrono::milliseconds fallback) {
    if (find(key) == nullptr) {
        return fallback;
    }
    constexpr std::string_view expected = "a duration such as 500ms, 10s, 30m or 2h";
    const std::string* value = scalar(key, expected);
    if (value == nullptr) {
        return fallback;
    }
    const auto duration = parse_duration(*value);
    if (!duration) {
        fail(key, "expected " + std::string(expected) + ", found " + quote(*value));
    }
    return duration.value_or(fallback);
}

std::vector<std::string> Decoder::texts(const std::string& key) {
    std::vector<std::string> out;
    const Json* list = find(key);
    if (list == nullptr) {
        return out;
    }
    if (!list->is_array()) {
        fail(key, "expected a list of texts, found " + quote(*list));
        return out;
    }
    for (const Json& item : *list) {
        if (!item.is_string()) {
            fail(
                key + "[" + std::to_string(out.size()) + "]", "expected text, found " + quote(item)
            );
            return out;
        }
        out.push_back(item.get_ref<const std::string&>());
    }
    return out;
}

bool Decoder::has(const std::string& key) {
    return find(key) != nullptr;
}

void Decoder::refuse_empty(const std::string& key) {
    if (find(key) == nullptr && member(*document_, key) != nullptr) {
        fail(key, "it is empty; fill it in, or remove the key");
    }
}

Decoder Decoder::mapping(const std::string& key) {
    const Json* value = find(key);
    if (value == nullptr) {
        fail(key, "a mapping is required, and it is missing");
        value = &empty_mapping();
    }
    return Decoder(*value, at(key), shared_, index_);
}

std::vector<Decoder> Decoder::mappings(const std::string& key) {
    std::vector<Decoder> out;
    const Json* list = find(key);
    if (list == nullptr) {
        return out;
    }
    if (!list->is_array()) {
        fail(key, "expected a list of mappings, found " + quote(*list));
        return out;
    }
    for (const Json& item : *list) {
        const std::string path = at(key) + "[" + std::to_string(out.size()) + "]";
        out.push_back(Decoder(item, path, shared_, index_));
    }
    return out;
}

std::vector<std::pair<std::string, std::string>> Decoder::pairs(const std::string& key) {
    std::vector<std::pair<std::string, std::string>> out;
    const Json* value = find(key);
    if (value == nullptr) {
        return out;
    }
    if (!value->is_object()) {
        fail(key, "expected a mapping of texts, found " + quote(*value));
        return out;
    }
    for (const auto& [name, item] : value->items()) {
        if (!item.is_string()) {
            fail(join(key, name), "expected text, found " + quote(item));
            return out;
        }
        out.emplace_back(name, item.get_ref<const std::string&>());
    }
    return out;
}

Status Decoder::finish() {
    // This mapping and everything below it must have been read; siblings may still be to come.
    for (std::size_t i = index_; i < shared_->mappings.size() && !shared_->error; ++i) {
        std::size_t ancestor = i;
        while (ancestor > index_) {
            ancestor = shared_->mappings[ancestor].parent;
        }
        if (ancestor != index_) {
            continue;
        }
        const auto& mapping = shared_->mappings[i];
        for (const auto& [key, value] : mapping.document->items()) {
            if (!mapping.asked.contains(key)) {
                report(
                    join(mapping.path, cut_middle(sanitize(key), 60)), "this key is not known here"
                );
            }
        }
    }
    if (shared_->error) {
        return *shared_->error;
    }
    return done;
}

} // namespace interlock::base
