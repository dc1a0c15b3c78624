# Who makes the packages and where they are published. Nothing is published yet: what stands here are placeholders, under
# the top-level domain that belongs to nobody (RFC 2606). Before a release, put the address of the project's repository,
# such as https://github.com/OWNER/uvrelay, and a mailbox that is read here, or set the variables of the environment.
set(repository "https://uvrelay.invalid/uvrelay")
set(maintainer "uvrelay contributors <packages@uvrelay.invalid>")
if(NOT "$ENV{UVRELAY_REPOSITORY}" STREQUAL "")
  set(repository "$ENV{UVRELAY_REPOSITORY}")
endif()
if(NOT "$ENV{UVRELAY_MAINTAINER}" STREQUAL "")
  set(maintainer "$ENV{UVRELAY_MAINTAINER}")
endif()
