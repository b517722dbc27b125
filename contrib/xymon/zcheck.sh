#!/bin/sh
# Xymon: a client-side script; in clientlaunch.cfg:
#
#   [zcheck]
#       ENVFILE $XYMONCLIENTHOME/etc/xymonclient.cfg
#       CMD $XYMONCLIENTHOME/ext/zcheck.sh
#       INTERVAL 5m
#
# ZCHECK_INI tells where clients.ini is, and XDG_STATE_HOME a folder that Xymon's user may write into: put both into
# that ENVFILE.

told=$("${ZCHECK:-/usr/local/bin/zcheck}" monitor "${ZCHECK_INI:-/etc/zcheck/clients.ini}")
case $? in
    0) colour=green ;;
    1) colour=yellow ;;
    2) colour=red ;;
    *) colour=clear ;;
esac
"${XYMON:?}" "${XYMSRV:?}" "status ${MACHINE:?}.zcheck $colour $(date)
$told"
