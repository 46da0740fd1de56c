#include "base/json.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include <nlohmann/json.hpp>

namespace interlock::base {
namespace {

std::string at_byte(std::size_t position) {
    return " at byte " + std::to_string(position);
}

/// The parser's own message quotes the input; this keeps only its kind.
std::string reason(const nlohmann::detail::exception& problem) {
    const std::string_view message = problem.what();
    if (problem.id == 406) {
        return "a number is beyond what a double can hold";
    }
    if (message.find("surrogate") != std::string_view::npos) {
        return "a \\u escape is half of a surrogate pair";
    }
    if (message.find("UTF-8") != std::string_view::npos) {
        return "the bytes are not UTF-8";
    }
    if (message.find("control character") != std::string_view::npos) {
        return "a control character stands unescaped in a string";
    }
    if (message.find("unexpected end of input") != std::string_view::npos) {
        return "the text ends too early";
    }
    return "this is not JSON";
}

/// Builds the value in one pass and stops at the first thing that is refused.
class StrictReader final : public nlohmann::json_sax<Json> {
public:
    StrictReader(int depth_max, std::size_t values_max)
        : depth_max_(depth_max), values_max_(values_max) {}

    Json take() { return std::move(root_); }
    const Error& error() const { return error_; }

    bool null() override { return put(nullptr); }
    bool boolean(bool value) override { return put(value); }
    bool number_integer(number_integer_t value) override { return put(value); }
    bool number_unsigned(number_unsigned_t value) override { return put(value); }
    bool number_float(number_float_t value, const string_t&) override { return put(value); }
    bool string(string_t& value) override { return put(std::move(value)); }
    bool binary(binary_t&) override { return false; } // not in JSON text

    bool start_object(std::size_t) override { return open(Json::object()); }
    bool start_array(std::size_t) override { return open(Json::array()); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(string_t& name) override {
        auto [slot, is_new] = open_.back()->get_ref<Json::object_t&>().try_emplace(name);
        if (!is_new) {
            return refuse(Errc::invalid_input, "An object of the JSON text names a key twice.");
        }
        slot_ = &slot->second;
        return true;
    }

    bool parse_error(
        std::size_t position, const std::string&, const nlohmann::detail::exception& problem
    ) override {
        return refuse(
            Errc::invalid_input,
            "The JSON text does not parse: " + reason(problem) + at_byte(position) + "."
        );
    }

private:
    bool refuse(Errc code, std::string what) {
        error_ = Error{code, std::move(what), "Send one well-formed JSON value (RFC 8259)."};
        return false;
    }

    /// Where the value goes: the root, the slot of the last key, or the end of the open array.
    Json* place(Json value) {
        if (open_.empty()) {
            root_ = std::move(value);
            return &root_;
        }
        if (open_.back()->is_array()) {
            auto& array = open_.back()->get_ref<Json::array_t&>();
            array.push_back(std::move(value));
            return &array.back();
        }
        *slot_ = std::move(value);
        return slot_;
    }

    bool put(Json value) {
        if (!count()) {
            return false;
        }
        place(std::move(value));
        return true;
    }

    bool count() {
        return ++values_ <= values_max_ ||
               refuse(
                   Errc::limit_exceeded,
                   "The JSON text holds more than " + std::to_string(values_max_) + " values."
               );
    }

    bool open(Json value) {
        if (static_cast<int>(open_.size()) >= depth_max_) {
            return refuse(
                Errc::limit_exceeded,
                "The JSON text nests deeper than " + std::to_string(depth_max_) + " levels."
            );
        }
        if (!count()) {
            return false;
        }
        // An open container is the last element of its parent, which cannot grow until it closes.
        open_.push_back(place(std::move(value)));
        return true;
    }

    bool close() {
        open_.pop_back();
        return true;
    }

    int depth_max_;
    std::size_t values_max_;
    std::size_t values_ = 0;
    Json root_;
    std::vector<Json*> open_;
    Json* slot_ = nullptr;
    Error error_{Errc::invalid_input, "The JSON text does not parse.", ""};
};

std::size_t values_max(std::size_t bytes_max) {
    return std::max(bytes_max / limits::json_bytes_per_value, limits::json_values_min);
}

std::string render(const Json& value, int indent) {
    return value.dump(indent, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

} // namespace

Result<Json> parse_json(std::string_view text, std::size_t bytes_max, int depth_max) {
    if (text.size() > bytes_max) {
        return Error{
            Errc::limit_exceeded,
            "The JSON text has " + std::to_string(text.size()) + " bytes; " +
                std::to_string(bytes_max) + " are allowed.",
            "Send less."};
    }
    // The lexer takes NUL for the end of input and skips a byte-order mark; other parsers do not.
    const auto zero = text.find('\0');
    if (zero != std::string_view::npos || text.starts_with("\xef\xbb\xbf")) {
        return Error{
            Errc::invalid_input,
            zero != std::string_view::npos
                ? "The JSON text does not parse: a NUL byte" + at_byte(zero + 1) + "."
                : std::string("The JSON text starts with a byte-order mark."),
            "Send one well-formed JSON value (RFC 8259)."};
    }
    StrictReader reader(depth_max, values_max(bytes_max));
    if (!Json::sax_parse(text, &reader)) {
        return reader.error();
    }
    return reader.take();
}

std::size_t json_tree_bytes(std::size_t text_bytes) {
    constexpr std::size_t value_bytes = 160;  // a member of an object that is an object itself
    constexpr std::size_t value_text_min = 2; // "1,"
    const std::size_t values =
        std::min(text_bytes / value_text_min + 1, values_max(limits::json_bytes_max));
    // A string comes with the room that the lexer had reserved for it: up to twice its length.
    return 2 * text_bytes + values * value_bytes;
}

std::string render_json(const Json& value) {
    return render(value, -1);
}

std::string render_json_pretty(const Json& value) {
    return render(value, 2);
}

const Json* member(const Json& object, std::string_view key) {
    if (!object.is_object()) {
        return nullptr;
    }
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
}

std::optional<std::string> string_member(const Json& object, std::string_view key) {
    const Json* value = member(object, key);
    if (value == nullptr || !value->is_string()) {
        return std::nullopt;
    }
    return value->get_ref<const std::string&>();
}

std::optional<long long> integer_member(const Json& object, std::string_view key) {
    const Json* value = member(object, key);
    if (value == nullptr || !value->is_number_integer()) {
        return std::nullopt;
    }
    if (value->is_number_unsigned() &&
        value->get<unsigned long long>() >
            static_cast<unsigned long long>(std::numeric_limits<long long>::max())) {
        return std::nullopt;
    }
    return value->get<long long>();
}

std::optional<bool> boolean_member(const Json& object, std::string_view key) {
    const Json* value = member(object, key);
    if (value == nullptr || !value->is_boolean()) {
        return std::nullopt;
    }
    return value->get<bool>();
}

} // namespace interlock::base
