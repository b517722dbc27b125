"""The catalogue: one check is one file and one page, in a folder for its stage.

``CATALOGUE`` is written by hand, in the order in which checks are judged and told; a test proves it complete.
"""

from __future__ import annotations

from zcheck.check import Check
from zcheck.checks.balancer.connections_fit_threads import connections_fit_threads
from zcheck.checks.balancer.cookies_are_distinct import cookies_are_distinct
from zcheck.checks.balancer.every_client_is_balanced import every_client_is_balanced
from zcheck.checks.balancer.every_server_is_a_client import every_server_is_a_client
from zcheck.checks.balancer.failed_servers_are_redispatched import failed_servers_are_redispatched
from zcheck.checks.balancer.haproxy_config_is_valid import haproxy_config_is_valid
from zcheck.checks.balancer.haproxy_keywords_are_current import haproxy_keywords_are_current
from zcheck.checks.balancer.haproxy_speaks_as_the_client import haproxy_speaks_as_the_client
from zcheck.checks.balancer.health_check_is_cheap import health_check_is_cheap
from zcheck.checks.balancer.ping_tells_the_truth import ping_tells_the_truth
from zcheck.checks.balancer.servers_are_health_checked import servers_are_health_checked
from zcheck.checks.balancer.servers_are_open import servers_are_open
from zcheck.checks.balancer.sessions_stick import sessions_stick
from zcheck.checks.balancer.status_page_is_protected import status_page_is_protected
from zcheck.checks.balancer.timeouts_are_set import timeouts_are_set
from zcheck.checks.config.blob_storage_agrees import blob_storage_agrees
from zcheck.checks.config.cache_files_are_distinct import cache_files_are_distinct
from zcheck.checks.config.clients_are_writable import clients_are_writable
from zcheck.checks.config.database_names_agree import database_names_agree
from zcheck.checks.config.databases_are_in_distinct_storages import databases_are_in_distinct_storages
from zcheck.checks.config.debug_mode_is_off import debug_mode_is_off
from zcheck.checks.config.environment_agrees import environment_agrees
from zcheck.checks.config.every_zeo_server_is_used import every_zeo_server_is_used
from zcheck.checks.config.instance_homes_are_distinct import instance_homes_are_distinct
from zcheck.checks.config.listen_address_matches import listen_address_matches
from zcheck.checks.config.mount_points_agree import mount_points_agree
from zcheck.checks.config.no_private_storage import no_private_storage
from zcheck.checks.config.no_read_only_fallback import no_read_only_fallback
from zcheck.checks.config.one_zeo_server_per_database import one_zeo_server_per_database
from zcheck.checks.config.relstorage_databases_agree import relstorage_databases_agree
from zcheck.checks.config.root_mount_exists import root_mount_exists
from zcheck.checks.config.server_settings_agree import server_settings_agree
from zcheck.checks.config.sessions_are_shared import sessions_are_shared
from zcheck.checks.config.settings_agree import settings_agree
from zcheck.checks.config.storage_names_agree import storage_names_agree
from zcheck.checks.config.storage_wrappers_agree import storage_wrappers_agree
from zcheck.checks.config.unknown_storages_agree import unknown_storages_agree
from zcheck.checks.config.zeo_addresses_are_valid import zeo_addresses_are_valid
from zcheck.checks.config.zeo_authentication_is_effective import zeo_authentication_is_effective
from zcheck.checks.config.zeo_conf_is_valid import zeo_conf_is_valid
from zcheck.checks.config.zeo_conf_serves_the_storages import zeo_conf_serves_the_storages
from zcheck.checks.config.zeo_encryption_agrees import zeo_encryption_agrees
from zcheck.checks.config.zeo_server_is_the_pinned_one import zeo_server_is_the_pinned_one
from zcheck.checks.config.zeo_servers_agree import zeo_servers_agree
from zcheck.checks.config.zope_conf_keys_are_known import zope_conf_keys_are_known
from zcheck.checks.config.zope_conf_parses import zope_conf_parses
from zcheck.checks.consistency.client_accepts_writes import client_accepts_writes
from zcheck.checks.consistency.conflicts_are_detected import conflicts_are_detected
from zcheck.checks.consistency.edits_are_seen_everywhere import edits_are_seen_everywhere
from zcheck.checks.consistency.no_torn_or_stale_reads import no_torn_or_stale_reads
from zcheck.checks.consistency.nothing_is_left_behind import nothing_is_left_behind
from zcheck.checks.consistency.propagation_is_quick import propagation_is_quick
from zcheck.checks.consistency.zeo_passes_writes_on import zeo_passes_writes_on
from zcheck.checks.identity.address_leads_to_one_process import address_leads_to_one_process
from zcheck.checks.identity.blob_directories_are_one import blob_directories_are_one
from zcheck.checks.identity.client_is_connected_to_zeo import client_is_connected_to_zeo
from zcheck.checks.identity.client_restarted_since_edit import client_restarted_since_edit
from zcheck.checks.identity.clients_are_distinct_processes import clients_are_distinct_processes
from zcheck.checks.identity.database_locations_agree import database_locations_agree
from zcheck.checks.identity.every_database_is_one import every_database_is_one
from zcheck.checks.identity.names_resolve_alike import names_resolve_alike
from zcheck.checks.identity.products_agree import products_agree
from zcheck.checks.identity.storage_caches_are_clean import storage_caches_are_clean
from zcheck.checks.identity.versions_agree import versions_agree
from zcheck.checks.identity.zeo_server_writes_its_own_file import zeo_server_writes_its_own_file
from zcheck.checks.inventory.at_least_two_clients import at_least_two_clients
from zcheck.checks.inventory.client_addresses_are_distinct import client_addresses_are_distinct
from zcheck.checks.inventory.clients_on_several_machines import clients_on_several_machines
from zcheck.checks.inventory.credentials_are_private import credentials_are_private
from zcheck.checks.inventory.suppressions_are_current import suppressions_are_current
from zcheck.checks.inventory.three_or_more_clients import three_or_more_clients
from zcheck.checks.inventory.zeo_server_is_pinned import zeo_server_is_pinned
from zcheck.checks.reach.client_answers_quickly import client_answers_quickly
from zcheck.checks.reach.client_is_reached_directly import client_is_reached_directly
from zcheck.checks.reach.client_port_answers import client_port_answers
from zcheck.checks.reach.client_serves_http import client_serves_http
from zcheck.checks.reach.clocks_agree import clocks_agree
from zcheck.checks.reach.zeo_commit_lock_is_free import zeo_commit_lock_is_free
from zcheck.checks.reach.zeo_sees_every_client import zeo_sees_every_client
from zcheck.checks.reach.zeo_server_answers import zeo_server_answers
from zcheck.checks.reach.zeo_storage_exists import zeo_storage_exists

CATALOGUE: tuple[Check, ...] = (
    # inventory
    at_least_two_clients,
    client_addresses_are_distinct,
    credentials_are_private,
    suppressions_are_current,
    three_or_more_clients,
    clients_on_several_machines,
    zeo_server_is_pinned,
    # config
    zope_conf_parses,
    root_mount_exists,
    mount_points_agree,
    database_names_agree,
    no_private_storage,
    zeo_addresses_are_valid,
    zeo_servers_agree,
    zeo_server_is_the_pinned_one,
    storage_names_agree,
    storage_wrappers_agree,
    relstorage_databases_agree,
    databases_are_in_distinct_storages,
    unknown_storages_agree,
    zeo_encryption_agrees,
    clients_are_writable,
    blob_storage_agrees,
    cache_files_are_distinct,
    instance_homes_are_distinct,
    listen_address_matches,
    zeo_conf_is_valid,
    zeo_conf_serves_the_storages,
    every_zeo_server_is_used,
    one_zeo_server_per_database,
    no_read_only_fallback,
    sessions_are_shared,
    zeo_authentication_is_effective,
    settings_agree,
    server_settings_agree,
    environment_agrees,
    zope_conf_keys_are_known,
    debug_mode_is_off,
    # reach
    zeo_server_answers,
    zeo_storage_exists,
    zeo_commit_lock_is_free,
    client_port_answers,
    client_serves_http,
    zeo_sees_every_client,
    client_answers_quickly,
    clocks_agree,
    client_is_reached_directly,
    # identity
    zeo_server_writes_its_own_file,
    every_database_is_one,
    client_is_connected_to_zeo,
    address_leads_to_one_process,
    clients_are_distinct_processes,
    blob_directories_are_one,
    database_locations_agree,
    storage_caches_are_clean,
    versions_agree,
    products_agree,
    names_resolve_alike,
    client_restarted_since_edit,
    # consistency
    zeo_passes_writes_on,
    client_accepts_writes,
    edits_are_seen_everywhere,
    no_torn_or_stale_reads,
    conflicts_are_detected,
    propagation_is_quick,
    nothing_is_left_behind,
    # balancer
    haproxy_config_is_valid,
    every_server_is_a_client,
    haproxy_speaks_as_the_client,
    cookies_are_distinct,
    sessions_stick,
    haproxy_keywords_are_current,
    every_client_is_balanced,
    servers_are_health_checked,
    servers_are_open,
    health_check_is_cheap,
    connections_fit_threads,
    failed_servers_are_redispatched,
    timeouts_are_set,
    status_page_is_protected,
    ping_tells_the_truth,
)
