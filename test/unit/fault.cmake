# Calls that can be made to fail: see fault.h. Copies of the library and of libuv are made, in which objcopy has renamed
# each call that has a wrapper in fault_calls.c, and linked in place of the two. Nothing is compiled for it, so what is
# tested is what is used. Not with a libuv that is not built here, of which there may be no static library.

if(MSVC OR NOT libuv_origin STREQUAL "pinned" OR NOT CMAKE_OBJCOPY OR NOT EXISTS
   ${CMAKE_CURRENT_SOURCE_DIR}/unit/${platform}/fault_calls.c)
  return()
endif()

# The names, from the lines that define the wrappers.
set(fault_calls ${CMAKE_CURRENT_SOURCE_DIR}/unit/${platform}/fault_calls.c)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${fault_calls})
file(STRINGS ${fault_calls} fault_lines REGEX
  "^(ENTRY|UV|UV_THROUGH|WIN|UV_FS)\\(|^[a-zA-Z_].* [*]?(sys|fault_uv)_[a-zA-Z0-9_]+\\(.*\\);$|^extern .*__imp_fault")
set(of_ours "")
set(of_libuv "")
foreach(line IN LISTS fault_lines)
  if(line MATCHES "^(ENTRY|UV|UV_THROUGH)\\([^,]*, ([a-zA-Z0-9_]+),")
    string(APPEND of_ours "${CMAKE_MATCH_2} fault_${CMAKE_MATCH_2}\n")
  elseif(line MATCHES "^UV_FS\\(([a-z0-9_]+),")
    string(APPEND of_ours "${CMAKE_MATCH_1} fault_${CMAKE_MATCH_1}\n")
  elseif(line MATCHES "^WIN\\([^,]*, ([a-zA-Z0-9_]+),")
    string(APPEND of_ours "__imp_${CMAKE_MATCH_1} __imp_fault_${CMAKE_MATCH_1}\n")
  elseif(line MATCHES "__imp_fault_([a-zA-Z0-9_]+);")
    string(APPEND of_ours "__imp_${CMAKE_MATCH_1} __imp_fault_${CMAKE_MATCH_1}\n")
  elseif(line MATCHES "[ *]fault_(uv_[a-z0-9_]+)\\(")
    string(APPEND of_ours "${CMAKE_MATCH_1} fault_${CMAKE_MATCH_1}\n")
  elseif(line MATCHES "[ *]sys_([a-zA-Z0-9_]+)\\(")
    string(APPEND of_libuv "${CMAKE_MATCH_1} sys_${CMAKE_MATCH_1}\n")
  endif()
endforeach()
set(fault_directory ${CMAKE_CURRENT_BINARY_DIR}/fault)
file(CONFIGURE OUTPUT ${fault_directory}/of_ours CONTENT "${of_ours}" @ONLY)
file(CONFIGURE OUTPUT ${fault_directory}/of_libuv CONTENT "${of_libuv}" @ONLY)

set(fault_library uvrelay_library)
if(BUILD_SHARED_LIBS)
  set(fault_library uvrelay_internal)
endif()
foreach(pair IN ITEMS "${fault_library} of_ours" "uv_a of_libuv")
  separate_arguments(pair)
  list(GET pair 0 target)
  list(GET pair 1 names)
  add_custom_command(OUTPUT ${fault_directory}/${target}.a
    COMMAND ${CMAKE_OBJCOPY} --redefine-syms=${fault_directory}/${names} $<TARGET_FILE:${target}> ${fault_directory}/${target}.a
    DEPENDS ${target} ${fault_directory}/${names} VERBATIM)
endforeach()
add_custom_target(fault_copies DEPENDS ${fault_directory}/${fault_library}.a ${fault_directory}/uv_a.a)

# Links a program with the copies, and with what the unit tests share.
function(uvrelay_fault_link name)
  add_dependencies(${name} fault_copies unit_support)
  foreach(property IN ITEMS INCLUDE_DIRECTORIES COMPILE_DEFINITIONS)
    set_property(TARGET ${name} APPEND PROPERTY ${property} $<TARGET_PROPERTY:unit_support,INTERFACE_${property}>)
  endforeach()
  # They use each other: the copies call the wrappers.
  target_link_libraries(${name} PRIVATE uvrelay_flags
    -Wl,--start-group $<TARGET_FILE:unit_support> ${fault_directory}/${fault_library}.a ${fault_directory}/uv_a.a
    -Wl,--end-group uvrelay_cmocka ${system_libraries} $<TARGET_PROPERTY:uv_a,LINK_LIBRARIES>)
  set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS
    "${fault_directory}/${fault_library}.a;${fault_directory}/uv_a.a")
endfunction()

# The program, of which a call can be made to fail: see fault/main.c.
if(NOT WIN32)
  file(CONFIGURE OUTPUT ${fault_directory}/of_program CONTENT "main uvrelay_main\n${of_ours}" @ONLY)
  add_custom_command(OUTPUT ${fault_directory}/program.o
    COMMAND ${CMAKE_LINKER} -r -o ${fault_directory}/program.o $<TARGET_OBJECTS:uvrelay>
    COMMAND ${CMAKE_OBJCOPY} --redefine-syms=${fault_directory}/of_program ${fault_directory}/program.o
    DEPENDS $<TARGET_OBJECTS:uvrelay> ${fault_directory}/of_program COMMAND_EXPAND_LISTS VERBATIM)
  add_executable(fault_uvrelay fault/main.c ${fault_directory}/program.o)
  set_target_properties(fault_uvrelay PROPERTIES
    OUTPUT_NAME uvrelay RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fault")
  uvrelay_fault_link(fault_uvrelay)
endif()
