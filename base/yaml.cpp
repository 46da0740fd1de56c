#include "base/yaml.hpp"

#include "base/text.hpp"

#include <sstream>
#include <vector>

#include <nlohmann/json.hpp>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

namespace interlock::base {
namespace {

/// Thrown out of yaml-cpp's callbacks, which have no other way to stop; never leaves this file.
struct Refusal {
    Error error;
};

std::string at(const YAML::Mark& mark) {
    if (mark.is_null()) {
        return "";
    }
    return " in line " + std::to_string(mark.line + 1) + ", column " +
           std::to_string(mark.column + 1);
}

[[noreturn]] void refuse(
    const YAML::Mark& mark,
    std::string_view what,
    std::string_view remedy,
    Errc code = Errc::invalid_input
) {
    throw Refusal{Error{code, std::string(what) + at(mark) + ".", std::string(remedy)}};
}

/// Builds the value from events, so that nothing is expanded before it is judged.
class StrictReader final : public YAML::EventHandler {
public:
    Json take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (++documents_ > 1) {
            refuse(mark, "The YAML text has a second document", "Keep one document in a file.");
        }
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        no_anchor(mark, anchor);
        if (expects_key()) {
            refuse(mark, "A key of the YAML text is empty", "Give it a name.");
        }
        put(mark, nullptr);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        refuse(mark, "The YAML text uses an alias", "Write the value out.");
    }

    void OnScalar(
        const YAML::Mark& mark,
        const std::string& tag,
        YAML::anchor_t anchor,
        const std::string& value
    ) override {
        no_anchor(mark, anchor);
        no_tag(mark, tag);
        if (expects_key()) {
            take_key(mark, value);
        } else {
            put(mark, value);
        }
    }

    void OnSequenceStart(
        const YAML::Mark& mark,
        const std::string& tag,
        YAML::anchor_t anchor,
        YAML::EmitterStyle::value
    ) override {
        open(mark, tag, anchor, Json::array());
    }
    void OnMapStart(
        const YAML::Mark& mark,
        const std::string& tag,
        YAML::anchor_t anchor,
        YAML::EmitterStyle::value
    ) override {
        open(mark, tag, anchor, Json::object());
    }
    void OnSequenceEnd() override { open_.pop_back(); }
    void OnMapEnd() override { open_.pop_back(); }

private:
    struct Open {
        Json* container;
        Json* slot; // of a mapping: where the value of the last key goes; null: a key comes next
    };

    static void no_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
        if (anchor != YAML::NullAnchor) {
            refuse(
                mark, "The YAML text defines an anchor", "Write the value out where it is used."
            );
        }
    }

    /// The parser itself reports "?" for plain and "!" for quoted values.
    static void no_tag(const YAML::Mark& mark, const std::string& tag) {
        if (!tag.empty() && tag != "?" && tag != "!") {
            refuse(
                mark, "The YAML text uses a tag", "Remove it; types follow from the key's meaning."
            );
        }
    }

    bool expects_key() const {
        return !open_.empty() && open_.back().container->is_object() &&
               open_.back().slot == nullptr;
    }

    void take_key(const YAML::Mark& mark, const std::string& name) {
        if (name == "<<") {
            refuse(mark, "The YAML text uses a merge key", "Write the keys out.");
        }
        auto [slot, is_new] = open_.back().container->get_ref<Json::object_t&>().try_emplace(name);
        if (!is_new) {
            refuse(
                mark,
                "The YAML text has the key `" + cut_middle(sanitize(name), 60) + "` twice",
                "Keep one of them."
            );
        }
        open_.back().slot = &slot->second;
    }

    Json* put(const YAML::Mark& mark, Json value) {
        if (open_.empty()) {
            root_ = std::move(value);
            return &root_;
        }
        if (expects_key()) {
            refuse(
                mark, "A key of the YAML text is not plain text", "Use a simple name as the key."
            );
        }
        Open& parent = open_.back();
        if (parent.container->is_array()) {
            auto& array = parent.container->get_ref<Json::array_t&>();
            array.push_back(std::move(value));
            return &array.back();
        }
        Json* slot = std::exchange(parent.slot, nullptr);
        *slot = std::move(value);
        return slot;
    }

    void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Json empty) {
        no_anchor(mark, anchor);
        no_tag(mark, tag);
        if (open_.size() >= static_cast<std::size_t>(limits::yaml_depth_max)) {
            refuse(
                mark,
                "The YAML text nests deeper than " + std::to_string(limits::yaml_depth_max) +
                    " levels",
                "Flatten it.",
                Errc::limit_exceeded
            );
        }
        Json* placed = put(mark, std::move(empty));
        open_.push_back({placed, nullptr});
    }

    Json root_;
    std::vector<Open> open_;
    int documents_ = 0;
};

} // namespace

Result<Json> parse_yaml(std::string_view text) {
    if (text.size() > limits::yaml_bytes_max) {
        return Error{
            Errc::limit_exceeded,
            "The YAML text has " + std::to_string(text.size()) + " bytes; " +
                std::to_string(limits::yaml_bytes_max) + " are allowed.",
            "Split it or send less."};
    }
    if (!is_utf8(text) || text.find('\0') != std::string_view::npos) {
        return Error{
            Errc::invalid_input, "The YAML text is not UTF-8 without NUL.", "Save it as UTF-8."};
    }
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        StrictReader reader;
        if (!parser.HandleNextDocument(reader)) {
            return Error{Errc::invalid_input, "The YAML text is empty.", "Write at least one key."};
        }
        while (parser.HandleNextDocument(reader)) {
        }
        return reader.take();
    } catch (const Refusal& refusal) {
        return refusal.error;
    } catch (const YAML::Exception& problem) {
        return Error{
            Errc::invalid_input,
            "The YAML text does not parse" + at(problem.mark) + ": " +
                cut_middle(sanitize(problem.msg), 120) + ".",
            "Correct it there."};
    }
}

} // namespace interlock::base
