// What `diagnose` answers: causes in order, what speaks for and against each, and everything that
// was not looked at. Sentences are made from code and numbers only; text that came from the
// database stands in objects, escaped, and decides nothing.
#pragma once

#include "tools/evidence.hpp"

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace interlock::tools {

enum class Verdict { healthy, insufficient_evidence, degraded, incident };
const char* name(Verdict verdict);

enum class CauseRole { root, contributing, effect };
const char* name(CauseRole role);

using FieldValue = std::variant<long long, std::string>;
using Fields = std::vector<std::pair<std::string, FieldValue>>;

/// A thing the cause is about: "backend", "prepared_transaction", "relation".
struct CauseObject {
    std::string kind;
    std::string name;
    Fields fields;
};

struct RunbookSuggestion {
    std::string id;
    Fields parameters;
};

struct NextObservation {
    std::string tool;
    Fields arguments;
    std::string why;
};

struct Cause {
    std::string id;
    double confidence = 0;
    CauseRole role = CauseRole::root;
    std::string effect_of;
    std::vector<CauseObject> objects;
    std::vector<std::string> because;
    std::vector<std::string> against;
    std::vector<std::string> evidence;
    std::vector<RunbookSuggestion> runbooks;
    std::vector<NextObservation> next;
};

struct Diagnosis {
    std::string id; // evidence id
    std::string target;
    double window_seconds = 0;
    Verdict verdict = Verdict::insufficient_evidence;
    std::string summary;
    std::vector<Cause> causes;
    std::vector<NotExamined> not_examined;
    Source source;
};

std::string diagnosis_schema();
/// `sweep` (JSON object text: what was read) goes into the whole only.
struct RenderedDiagnosis {
    std::string whole;
    Output output;
};
RenderedDiagnosis render_diagnosis(const Diagnosis& diagnosis, const std::string& sweep);

/// The families this build does not look at.
std::vector<NotExamined> unexamined_families();

} // namespace interlock::tools
