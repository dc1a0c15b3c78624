# cmake -D ZIP=uvrelay-X-windows-x86_64.zip -D OUTPUT=DIRECTORY -P manifests.cmake
#
# Writes the manifests for Scoop and for winget, from DIRECTORY/ZIP. The zip is to be an asset of the release vX in the
# project's repository: see project.cmake.
cmake_minimum_required(VERSION 3.25)
include("${CMAKE_CURRENT_LIST_DIR}/project.cmake")
string(REGEX MATCH "-([0-9][^-]*)-windows-" version "${ZIP}")
set(version "${CMAKE_MATCH_1}")
set(release "${repository}/releases/download/v")
set(address "${release}${version}/${ZIP}")
file(SHA256 "${OUTPUT}/${ZIP}" sha256)
string(TOUPPER "${sha256}" sha256_upper)
string(TIMESTAMP date "%Y-%m-%d" UTC) # of SOURCE_DATE_EPOCH
string(REPLACE "${version}" "$version" zip_of_version "${ZIP}")
set(winget_schema 1.6.0)
set(manifests "${CMAKE_CURRENT_LIST_DIR}/manifests")
configure_file("${manifests}/uvrelay.json.in" "${OUTPUT}/scoop/uvrelay.json" @ONLY NEWLINE_STYLE LF)
foreach(name IN ITEMS uvrelay.uvrelay uvrelay.uvrelay.installer uvrelay.uvrelay.locale.en-US)
  configure_file("${manifests}/${name}.yaml.in" "${OUTPUT}/winget/${name}.yaml" @ONLY NEWLINE_STYLE LF)
endforeach()
if(repository MATCHES "[.]invalid/")
  message(NOTICE "The manifests for Scoop and winget name a placeholder, ${repository}. Before you publish them, set the "
                 "address of the project's repository in deps/package/project.cmake, or as UVRELAY_REPOSITORY.")
endif()
