#include "runbooks/plan.hpp"

#include <catch2/catch.hpp>

namespace interlock {

TEST_CASE("every word of a plan reads back as the value it names", "[runbooks]") {
    using runbooks::Assurance;
    using runbooks::Comparison;
    using runbooks::Reversibility;
    using runbooks::StepClass;
    for (const auto value : {Comparison::equals, Comparison::at_least, Comparison::at_most}) {
        CHECK(runbooks::comparison_from_name(name(value)) == value);
    }
    for (const auto value : {StepClass::transactional, StepClass::readback}) {
        CHECK(runbooks::step_class_from_name(name(value)) == value);
    }
    for (const auto value :
         {Reversibility::none_needed,
          Reversibility::exact,
          Reversibility::compensating,
          Reversibility::bounded,
          Reversibility::irreversible}) {
        CHECK(runbooks::reversibility_from_name(name(value)) == value);
    }
    for (const auto value :
         {Assurance::chat, Assurance::web_session, Assurance::ssh_key, Assurance::hardware_key}) {
        CHECK(runbooks::assurance_from_name(name(value)).value() == value);
    }
}

TEST_CASE("words nobody defined name nothing", "[runbooks]") {
    for (const auto* word : {"", "Equals", "equals ", "none", "sshkey"}) {
        CHECK_FALSE(runbooks::comparison_from_name(word).has_value());
        CHECK_FALSE(runbooks::step_class_from_name(word).has_value());
        CHECK_FALSE(runbooks::reversibility_from_name(word).has_value());
        CHECK_FALSE(runbooks::assurance_from_name(word).ok());
    }
}

TEST_CASE("assurance levels compare by strength", "[runbooks]") {
    CHECK(runbooks::Assurance::chat < runbooks::Assurance::web_session);
    CHECK(runbooks::Assurance::web_session < runbooks::Assurance::ssh_key);
    CHECK(runbooks::Assurance::ssh_key < runbooks::Assurance::hardware_key);
}

} // namespace interlock
