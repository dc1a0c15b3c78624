# The fuzzers: each fuzz_NAME.c is a libFuzzer program, and a test of 20,000 runs from its corpus. See "Fuzzers" in
# CONTRIBUTING.md.

set(fuzz_directory ${CMAKE_CURRENT_SOURCE_DIR}/fuzz)
file(GLOB fuzz_sources CONFIGURE_DEPENDS ${fuzz_directory}/*.c)
set(fuzzers ${fuzz_sources})
list(FILTER fuzzers INCLUDE REGEX "/fuzz_[^/]*[.]c$")
list(FILTER fuzz_sources EXCLUDE REGEX "/fuzz_[^/]*[.]c$")

# What they share, and the program's rooms, without its main function.
set(fuzzed_program ${program_sources})
list(FILTER fuzzed_program EXCLUDE REGEX "/cli/main_unix[.]c$")
add_library(fuzz_support STATIC ${fuzz_sources} ${fuzzed_program})
target_include_directories(fuzz_support PUBLIC ${fuzz_directory})
target_link_libraries(fuzz_support PUBLIC unit_support PRIVATE uvrelay_flags)

# What guides a fuzzer is what it reaches in the project's own code; the rest is faster without.
foreach(target IN ITEMS uv_a cmocka unit_support)
  target_compile_options(${target} PRIVATE -fno-sanitize=fuzzer-no-link)
endforeach()

add_custom_target(fuzzers)
foreach(source IN LISTS fuzzers)
  cmake_path(GET source STEM program)
  string(REGEX REPLACE "^fuzz_" "" name ${program})
  add_executable(${program} EXCLUDE_FROM_ALL ${source})
  set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzz")
  target_link_libraries(${program} PRIVATE fuzz_support uvrelay_flags)
  target_link_options(${program} PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzzers ${program})
  add_test(NAME fuzz/${name} COMMAND sh ${fuzz_directory}/run.sh -b ${PROJECT_BINARY_DIR} ${name})
  uvrelay_test_settings(fuzz/${name} 600)
endforeach()
set_tests_properties(fuzz/mux PROPERTIES COST 100) # each of its runs makes a relay, sockets and pipes
