# shellcheck shell=sh
# Every fsync 2.6 ms slower, as on EBS gp3; 256 connections.
slow_one() {
	SLOW=2600 with forebayd
	case $1 in
	20000) measure "20,000/s" 1 -c 256 --rate 20000 ;;
	*) measure "highest" 1 -c 256 ;;
	esac
	without
}
slow() { alternate slow_one 20000 highest; }
