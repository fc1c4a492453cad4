# How every target of the project is built: the language level, the warnings, the include root.
include_guard()

set(GEMMD_SANITIZE "" CACHE STRING "Sanitizers for every target, e.g. address,undefined")

add_library(gemmd_options INTERFACE)
target_compile_features(gemmd_options INTERFACE cxx_std_20)
target_compile_options(gemmd_options INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Werror -fvisibility=hidden)
target_include_directories(gemmd_options INTERFACE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}")

# What goes before the command of every test, and how long a test may take.
set(GEMMD_TEST_LAUNCHER "")
set(GEMMD_TEST_TIMEOUT_S 600)
if(GEMMD_SANITIZE)
  target_compile_options(gemmd_options INTERFACE
    -fsanitize=${GEMMD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(gemmd_options INTERFACE -fsanitize=${GEMMD_SANITIZE})
  target_compile_definitions(gemmd_options INTERFACE GEMMD_SANITIZED)
  set(GEMMD_TEST_LAUNCHER "${PROJECT_SOURCE_DIR}/deploy/sanitizers/run.sh")
  set(GEMMD_TEST_TIMEOUT_S 1500)
endif()

# gemmd_library(NAME SOURCES a.cc … DEPS target …): a static library of the project.
function(gemmd_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC gemmd_options ${ARG_DEPS})
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
endfunction()

# gemmd_executable(NAME SOURCES a.cc … DEPS target …): a program of the project.
function(gemmd_executable name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE gemmd_options ${ARG_DEPS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
endfunction()

# gemmd_test(NAME SOURCES a.cc … DEPS target … LABELS unit|gpu|e2e|covering): one GoogleTest program, each case a ctest test.
function(gemmd_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE gemmd_options ${ARG_DEPS} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE GEMMD_SOURCE_DIR="${PROJECT_SOURCE_DIR}" GEMMD_BINARY_DIR="${PROJECT_BINARY_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests"
    CROSSCOMPILING_EMULATOR "${GEMMD_TEST_LAUNCHER}")
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 NO_PRETTY_VALUES
    PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${GEMMD_TEST_TIMEOUT_S})
endfunction()
