# What `cmake --install` installs, into a prefix that may be moved. The components:
#
#   runtime        the program, units for systemd, manual pages (docs/CMakeLists.txt), completions, licence, changes
#   documentation  README.md and the guides in docs/
#   development    the library, its headers, the files by which CMake and pkg-config find it, manual pages of section 3
#   libuv          a pinned libuv, which the library needs (deps/libuv.cmake)
#
# A distribution may want other places than these; they are relative to the prefix, as those of GNUInstallDirs are:
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(UVRELAY_UNIT_DIR "lib/systemd/user" CACHE STRING "Where units of the users' systemd are installed")
set(UVRELAY_ZSH_DIR "${CMAKE_INSTALL_DATAROOTDIR}/zsh/site-functions" CACHE STRING
    "Where completions for zsh are installed; Debian's packages have theirs in share/zsh/vendor-completions")
set(UVRELAY_UNIT_PROGRAM "" CACHE STRING
    "The program that the units name; empty: where it is installed. It may begin with %h, the user's home")
set(UVRELAY_WINDOWS_PROGRAM "" CACHE FILEPATH
    "A uvrelay.exe to be installed with the program for Linux, where `uvrelay setup` looks for it")
set(package_directory "${CMAKE_INSTALL_LIBDIR}/cmake/uvrelay")
set(generated "${PROJECT_BINARY_DIR}/package")

if(TARGET uvrelay)
  install(TARGETS uvrelay RUNTIME COMPONENT runtime)
  if(UNIX)
    # The program's path is known only when it is installed: --prefix may be given then.
    install(CODE "
      set(uvrelay_program \"${UVRELAY_UNIT_PROGRAM}\")
      if(uvrelay_program STREQUAL \"\")
        set(uvrelay_program \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/uvrelay\")
      endif()
      foreach(unit IN ITEMS uvrelay.service uvrelay-ssh-agent.service)
        configure_file(\"${PROJECT_SOURCE_DIR}/docs/systemd/\${unit}.in\" \"${generated}/\${unit}\" @ONLY)
      endforeach()" COMPONENT runtime)
    install(FILES "${generated}/uvrelay.service" "${generated}/uvrelay-ssh-agent.service"
            "${PROJECT_SOURCE_DIR}/docs/systemd/uvrelay-ssh-agent.socket"
      DESTINATION "${UVRELAY_UNIT_DIR}" COMPONENT runtime)
    set(completions "${CMAKE_CURRENT_LIST_DIR}/completions")
    # bash and fish find completions by the name of the command.
    foreach(command IN ITEMS uvrelay uvrelay.exe)
      install(FILES "${completions}/uvrelay.bash" RENAME ${command}
        DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/bash-completion/completions" COMPONENT runtime)
      install(FILES "${completions}/uvrelay.fish" RENAME ${command}.fish
        DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/fish/vendor_completions.d" COMPONENT runtime)
    endforeach()
    install(FILES "${completions}/_uvrelay" DESTINATION "${UVRELAY_ZSH_DIR}" COMPONENT runtime)
    if(UVRELAY_WINDOWS_PROGRAM)
      # Not below a directory that is named after this processor, as it is not for this system.
      install(PROGRAMS "${UVRELAY_WINDOWS_PROGRAM}" DESTINATION lib/uvrelay RENAME uvrelay.exe COMPONENT runtime)
    endif()
  endif()
endif()
install(TARGETS uvrelay_library EXPORT uvrelayTargets
  RUNTIME COMPONENT runtime
  LIBRARY COMPONENT runtime NAMELINK_COMPONENT development
  ARCHIVE COMPONENT development
  INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
if(libuv_origin STREQUAL "pinned" AND UNIX)
  set_target_properties(uvrelay_library PROPERTIES INSTALL_RPATH "\$ORIGIN") # libuv is beside it
endif()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development)
set(doc_directory "${CMAKE_INSTALL_DATAROOTDIR}/doc/uvrelay")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/CHANGELOG.md"
  DESTINATION "${doc_directory}" COMPONENT runtime)
# The guides, in the same places to each other as in the source, so that their links lead somewhere.
install(FILES "${PROJECT_SOURCE_DIR}/README.md" DESTINATION "${doc_directory}" COMPONENT documentation)
file(GLOB guides CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/docs/*.md" "${PROJECT_SOURCE_DIR}/docs/*.svg"
  "${PROJECT_SOURCE_DIR}/docs/*.schema.json")
install(FILES ${guides} DESTINATION "${doc_directory}/docs" COMPONENT documentation)
file(GLOB manual CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/docs/man/*.md")
install(FILES ${manual} DESTINATION "${doc_directory}/docs/man" COMPONENT documentation)

# For CMake. Of the targets by which libuv may be known, the kind that this build has comes first.
if(libuv_origin STREQUAL "pinned" AND NOT BUILD_SHARED_LIBS)
  set(libuv_names "uv_a libuv::uv_a uv libuv::uv")
  set(libuv_module libuv-static)
else()
  set(libuv_names "uv libuv::uv uv_a libuv::uv_a")
  set(libuv_module libuv)
endif()
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/uvrelayConfig.cmake.in" "${generated}/uvrelayConfig.cmake"
  INSTALL_DESTINATION "${package_directory}" NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(compatibility SameMinorVersion)
else()
  set(compatibility SameMajorVersion)
endif()
write_basic_package_version_file("${generated}/uvrelayConfigVersion.cmake" COMPATIBILITY ${compatibility})
install(FILES "${generated}/uvrelayConfig.cmake" "${generated}/uvrelayConfigVersion.cmake"
  DESTINATION "${package_directory}" COMPONENT development)
install(EXPORT uvrelayTargets NAMESPACE uvrelay:: DESTINATION "${package_directory}" COMPONENT development)

# For pkg-config.
set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
set(pc_libdir "${CMAKE_INSTALL_FULL_LIBDIR}")
set(pc_includedir "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
cmake_path(RELATIVE_PATH pc_prefix BASE_DIRECTORY "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig")
cmake_path(RELATIVE_PATH pc_libdir BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}")
cmake_path(RELATIVE_PATH pc_includedir BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}")
if(BUILD_SHARED_LIBS)
  set(pc_flags -DUVRELAY_SHARED)
  set(pc_libraries "")
else()
  set(pc_flags "")
  list(TRANSFORM system_libraries PREPEND -l OUTPUT_VARIABLE pc_libraries)
  list(JOIN pc_libraries " " pc_libraries)
endif()
configure_file("${CMAKE_CURRENT_LIST_DIR}/uvrelay.pc.in" "${generated}/uvrelay.pc" @ONLY)
install(FILES "${generated}/uvrelay.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT development)
